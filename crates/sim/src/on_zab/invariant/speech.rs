//! Every message is legal in the state in which it leaves; ACK, COMMIT and PROPOSAL come in the order of zxids.

use crate::ghost::Ghost;
use crate::invariant::Invariant;
use crate::on_zab::{Stack, Zab};
use consensus::Position;
use zab::Packet;

impl<S: Stack> Ghost<Zab<S>> {
    /// A learner says something to its leader.
    pub(crate) fn check_learner_says(&mut self, member: usize, leader: usize, packet: &Packet) {
        let seen = &self.members[member];
        let (promise, synced, acked) = (seen.promise, seen.promise_synced, seen.own.sync.acked);
        if seen.leads() {
            return self.illegal(member, leader, packet, "it leads itself");
        }
        match *packet {
            Packet::LearnerInfo { accepted, .. } if accepted != promise.epoch => {
                self.illegal(member, leader, packet, "that is not its acceptedEpoch");
            }
            Packet::AckEpoch { .. } if synced.epoch != promise.epoch => {
                let what = format!("member {} accepted epoch {}; on its disk is {}", member + 1, promise.epoch, synced.epoch);
                self.violate(Invariant::EpochsAreDurable, what);
            }
            Packet::Ack { position } if position.index == 0 => self.check_synchronized(member, leader, position.epoch),
            Packet::Ack { position } => {
                self.members[member].own.sync.acked = position;
                if position < acked {
                    return self.illegal(member, leader, packet, "it has acknowledged more");
                }
                if self.histories.place(position).is_none_or(|place| !self.holds_synced(member, place, position)) {
                    let what = format!("member {} acknowledged {position}, which its log has not synced", member + 1);
                    self.violate(Invariant::SyncedBeforeSaid, what);
                }
            }
            _ => {}
        }
    }

    /// A leader says something to a learner.
    pub(crate) fn check_leader_says(&mut self, member: usize, to: usize, packet: &Packet) {
        if !self.leads_or_led(member) {
            return self.illegal(member, to, packet, "it does not lead");
        }
        let seen = &self.members[member];
        let (term, established) = (seen.term, seen.own.leads == seen.term);
        let observes = self.configuration.learners.contains(&self.members[to].id);
        let mut said = seen.own.said[to];
        let wrong = match packet {
            Packet::LeaderInfo { epoch } => {
                self.remember_initial(member, *epoch);
                let wrong = said.epoch || *epoch != term || self.members[member].promise_synced.epoch != *epoch;
                said.epoch = true;
                wrong.then_some("out of turn, or not its epoch, or not on its disk")
            }
            Packet::Diff { .. } | Packet::Truncate { .. } | Packet::Snapshot { .. } => {
                let wrong = !said.epoch || said.chosen;
                said.chosen = true;
                said.proposed = match packet {
                    Packet::Snapshot { position } => *position,
                    _ => Position::ZERO,
                };
                said.committed = said.proposed;
                wrong.then_some("out of turn")
            }
            Packet::Proposal { entry } => {
                let wrong = !said.chosen || entry.position <= said.proposed || observes && said.new_leader;
                said.proposed = entry.position;
                wrong.then_some("out of turn, or out of order")
            }
            Packet::Inform { entry } => {
                let wrong = !said.new_leader || entry.position <= said.proposed || !observes;
                said.proposed = entry.position;
                said.committed = entry.position;
                wrong.then_some("out of turn, or out of order, or not for a voter")
            }
            Packet::Commit { position } => {
                let wrong = *position <= said.committed || *position > said.proposed;
                said.committed = *position;
                wrong.then_some("out of order, or never proposed")
            }
            Packet::NewLeader { epoch } => {
                let wrong = !said.chosen || said.new_leader || *epoch != term;
                said.new_leader = true;
                wrong.then_some("out of turn")
            }
            Packet::UpToDate => {
                let wrong = !said.new_leader || said.up_to_date || !established;
                said.up_to_date = true;
                wrong.then_some("out of turn, or before its epoch is established")
            }
            Packet::Ping { .. } => (!said.new_leader).then_some("before NEWLEADER"),
            Packet::Sync => (!said.up_to_date).then_some("before UPTODATE"),
            _ => Some("nobody asked for that"),
        };
        self.members[member].own.said[to] = said;
        if let Some(why) = wrong {
            return self.illegal(member, to, packet, why);
        }
        self.check_leader_holds(member, to, packet);
    }

    /// What a leader sends is in its log; what it calls committed in the broadcast is.
    fn check_leader_holds(&mut self, member: usize, to: usize, packet: &Packet) {
        let (position, commits) = match packet {
            Packet::Proposal { entry } => (entry.position, false),
            Packet::Inform { entry } => (entry.position, true),
            Packet::Commit { position } => (*position, self.members[member].own.said[to].new_leader),
            _ => return,
        };
        let place = self.histories.place(position).unwrap_or(u64::MAX);
        let held = self.members[member].log.get((place as usize).wrapping_sub(1)).is_some_and(|fact| fact.position == position);
        if !held {
            return self.illegal(member, to, packet, "that is not in its log");
        }
        // Its own commit is looked at after the step; what it says in the same step may be new.
        if commits && self.members[member].own.leads == 0 && !self.members[member].own.led {
            self.illegal(member, to, packet, "it has established no epoch");
        }
    }

    fn illegal(&mut self, member: usize, to: usize, packet: &Packet, why: &str) {
        let what = format!("member {} said to member {}: {packet:?}; {why}", member + 1, to + 1);
        self.violate(Invariant::MessagesAreLegal, what);
    }
}
