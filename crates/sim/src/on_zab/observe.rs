//! How the ghost takes in one step of a server.

use crate::ghost::Ghost;
use crate::invariant::Invariant;
use crate::on_zab::cue::Cue;
use crate::on_zab::lore::{Said, Sync};
use crate::on_zab::{Stack, Zab};
use consensus::{Consensus, NodeId, Output, Position, Role};
use zab::{Decision, Downfall, Message, Packet};

impl<S: Stack> Ghost<Zab<S>> {
    /// A member stepped.
    pub(super) fn take_in(&mut self, member: usize, cue: Cue, outputs: &[Output<Message, Decision>], zab: &zab::Zab) {
        let seen = &mut self.members[member];
        seen.own.led = seen.leads();
        self.take_cue(member, cue);
        for output in outputs {
            match output {
                Output::Persist(persist) => {
                    self.check_primary(member, persist);
                    self.on_persist(member, persist);
                }
                Output::Send { to, message } | Output::SendSnapshot { to, message } => self.on_send(member, *to, message),
                Output::ChangeRole { epoch, role } => self.on_role(member, *epoch, *role),
                Output::Apply { entries } => {
                    let last = entries.last().map_or(Position::ZERO, |entry| entry.position);
                    self.check_applies_synced(member, last);
                }
                Output::InstallSnapshot { snapshot, entries } => self.on_merge(member, snapshot.position, entries),
                Output::Explain(Decision::Leads { epoch, .. }) => self.begin_leading(member, *epoch),
                Output::Explain(Decision::StoppedLeading { because: Downfall::EpochFull { .. }, .. }) => {
                    self.lore.epochs_full += 1
                }
                _ => {}
            }
        }
        self.check_commit_of(member, zab.committed());
        if self.members[member].damaged {
            self.check_abstention(member, !zab.is_trusted());
        }
    }

    fn take_cue(&mut self, member: usize, cue: Cue) {
        let own = &mut self.members[member].own;
        match cue {
            Cue::Relinked(peer) => {
                own.said[peer] = Said::default();
                own.sync = Sync::default();
            }
            Cue::Named(position) | Cue::Cut(position) => own.sync.named = Some(position),
            Cue::NewLeader => own.sync.history = own.sync.named,
            Cue::Installed(position) => self.merged(member, position),
            Cue::Other => {}
        }
    }

    fn on_send(&mut self, member: usize, to: NodeId, message: &Message) {
        let Some(to) = self.member_of(to).filter(|&to| to != member) else {
            return self.violate(Invariant::NoCrash, format!("member {} sent to itself or to a stranger ({to})", member + 1));
        };
        let Message::Packet(packet) = message else { return };
        match packet {
            Packet::LearnerInfo { .. }
            | Packet::AckEpoch { .. }
            | Packet::Ack { .. }
            | Packet::SyncRequest
            | Packet::Request(_) => {
                self.check_learner_says(member, to, packet);
            }
            Packet::LeaderInfo { .. }
            | Packet::Diff { .. }
            | Packet::Truncate { .. }
            | Packet::Snapshot { .. }
            | Packet::NewLeader { .. }
            | Packet::UpToDate
            | Packet::Proposal { .. }
            | Packet::Commit { .. }
            | Packet::Inform { .. }
            | Packet::Sync
            | Packet::Activate { .. } => self.check_leader_says(member, to, packet),
            Packet::Ping { .. } if self.leads_or_led(member) => self.check_leader_says(member, to, packet),
            Packet::Ping { .. } | Packet::Revalidate(_) => {}
        }
    }

    /// Whether a member leads, or did when the present step began.
    pub(super) fn leads_or_led(&self, member: usize) -> bool {
        self.members[member].leads() || self.members[member].own.led
    }

    fn on_role(&mut self, member: usize, epoch: u64, role: Role) {
        let seen = &mut self.members[member];
        let before = seen.term;
        if role != seen.role {
            seen.own.leads = 0;
        }
        (seen.term, seen.role) = (epoch, role);
        if epoch < before {
            let what = format!("member {} went back from epoch {before} to {epoch}", member + 1);
            self.violate(Invariant::NothingGoesBack, what);
        }
    }
}
