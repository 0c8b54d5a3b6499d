//! Committed entries meet the state machine.

use crate::{Codec, Decoded, Effect, Effects, Replica};
use alloc::format;
use alloc::vec::Vec;
use consensus::{Consensus, Entry, Input, Role, StateMachine};

/// After this many bytes of entries, and of answers to them, in one event the replica lets the driver look at its other work first.
const APPLY_BYTES_PER_EVENT: usize = 4 << 20;

impl<C: Consensus, M: StateMachine, K: Codec<Machine = M>> Replica<C, M, K> {
    pub(crate) fn on_apply(&mut self, entries: Vec<Entry>, effects: &mut Effects<C, M>) {
        let bytes = entries.iter().map(|entry| entry.data.len()).sum::<usize>();
        for entry in entries {
            if !self.apply(entry, effects) {
                return;
            }
        }
        self.applied_this_event += bytes;
        let position = self.machine.applied();
        if self.applied_this_event > APPLY_BYTES_PER_EVENT {
            self.owed = Some(position);
        } else {
            self.step(Input::Applied { position });
        }
        self.consider_snapshot(effects);
    }

    /// False if the entry cannot be understood, and the member has to stop: to skip it would make it differ from the others.
    fn apply(&mut self, entry: Entry, effects: &mut Effects<C, M>) -> bool {
        let before = self.machine.applied();
        let position = entry.position;
        assert!(position.index == before.index + 1 || position.epoch > before.epoch, "applied {position} after {before}");
        let Decoded { id, command } = match self.codec.decode(&entry) {
            Ok(decoded) => decoded,
            Err(why) => {
                self.stopped = true;
                effects.push(Effect::Stop(format!("the log's entry {position} cannot be applied: {why}")));
                return false;
            }
        };
        self.since_snapshot.add(&entry);
        match command {
            None => self.machine.skip(position),
            Some(command) => {
                let mut events = Vec::new();
                let response = self.machine.apply(position, command, &mut events);
                self.applied_this_event += M::response_weight(&response);
                if !events.is_empty() {
                    effects.push(Effect::Happened { position, events });
                }
                if let Some(id) = id {
                    self.respond(id, response, effects);
                }
            }
        }
        if position.epoch > before.epoch {
            self.refuse_before(position.epoch, effects);
        }
        true
    }

    /// A leader leads once it has applied what earlier epochs left: Raft's with its first entry, the no-op; Zab's, whose epochs
    /// begin without an entry, when its next proposal is the epoch's first.
    pub(crate) fn begin_to_lead(&mut self) {
        if self.leading || self.role != Role::Leader {
            return;
        }
        let Some(next) = self.consensus.next() else { return };
        if self.machine.applied().epoch == next.epoch || next.index == 1 {
            self.leading = true;
            self.machine.lead(self.now);
        }
    }
}
