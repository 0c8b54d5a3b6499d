//! What must never happen.

use super::World;
use consensus::{Consensus as _, Entry, NodeId};
use zab::Packet;

impl World {
    /// What a packet promises is on disk when it leaves.
    pub fn check_promises(&self, node: NodeId, packet: &Packet) {
        let disk = &self.disks[&node];
        let kept = match *packet {
            Packet::LeaderInfo { epoch } => disk.promise.epoch >= epoch,
            Packet::AckEpoch { .. } => disk.promise.epoch >= self.nodes[&node].zab.accepted_epoch(),
            Packet::Ack { position } if position.index == 0 => disk.promise.current >= position.epoch,
            Packet::Ack { position } => disk.last() >= position,
            _ => true,
        };
        assert!(kept, "{}: {node} says {packet:?} before it is on its disk", self.label);
    }

    /// The whole history of a server: what its disk holds once all that was asked for is written.
    pub fn history_of(&self, node: NodeId) -> Vec<Entry> {
        let mut disk = self.disks[&node].clone();
        for persist in &self.nodes[&node].writes {
            disk.write(persist);
        }
        disk.history()
    }

    /// The invariants of one server against what is known of all.
    pub fn observe(&mut self, node: NodeId) {
        let Some(state) = self.nodes.get(&node) else { return };
        let zab = &state.zab;
        if let Some(epoch) = zab.established() {
            // One established leader an epoch, ever.
            let first = *self.leaders.entry(epoch).or_insert(node);
            assert_eq!(first, node, "{}: epoch {epoch} has two leaders", self.label);
            let committed = zab.committed();
            if self.ghost.last().is_none_or(|last| last.position < committed) {
                let history = self.history_of(node);
                let committed: Vec<Entry> = history.into_iter().filter(|entry| entry.position <= committed).collect();
                self.extend_ghost(node, &committed);
            }
        }
        // What a server serves from is a prefix of what is committed.
        let state = &self.nodes[&node];
        if state.zab.serving() {
            let known = self.ghost.len().min(state.machine.len());
            assert_eq!(
                state.machine.last(),
                state.machine.len().checked_sub(1).and_then(|last| self.ghost.get(last)),
                "{}: {node} serves what was not committed ({known})",
                self.label
            );
        }
    }

    pub fn extend_ghost(&mut self, node: NodeId, committed: &[Entry]) {
        assert!(
            committed.len() >= self.ghost.len() && committed[..self.ghost.len()] == self.ghost[..],
            "{}: {node} has lost or changed what was committed:\n{:?}\n{:?}",
            self.label,
            committed.iter().map(|entry| entry.position).collect::<Vec<_>>(),
            self.ghost.iter().map(|entry| entry.position).collect::<Vec<_>>()
        );
        self.ghost.extend_from_slice(&committed[self.ghost.len()..]);
    }

    /// Everybody holds the same, and all of it.
    pub fn assert_all_equal(&self) {
        for (node, state) in &self.nodes {
            assert_eq!(state.machine, self.ghost, "{}: {node} differs", self.label);
        }
    }
}
