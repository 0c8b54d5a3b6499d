//! What a server asks of its leader beside the log: writes, sessions, and reads that must not be stale.

use crate::broadcast::packet_to;
use crate::follow::Stage;
use crate::role::Is;
use crate::{Decision, Packet, Zab};
use consensus::{DropReason, Dropped, EntryKind, NodeId, Note, Output, ReadId, SessionNote};

impl Zab {
    pub(crate) fn on_tell(&mut self, to: NodeId, note: Note) {
        match (&self.is, note) {
            (Is::Following(following), note) if following.leader == to && following.stage == Stage::Serving => {
                self.tell_leader(to, note);
            }
            (Is::Leading(leading), Note::Sessions(answer @ SessionNote::Revalidated { .. })) => {
                if leading.learners.get(&to).is_some_and(|learner| learner.stage == crate::learner::Stage::Serving) {
                    self.send(to, Packet::Revalidate(answer));
                }
            }
            (_, Note::Request(_)) => {
                self.out.push(Output::Drop { what: Dropped::Note, reason: DropReason::NoLeader });
            }
            // The client comes again, and sessions are touched again.
            (_, Note::Sessions(_)) => {}
        }
    }

    fn tell_leader(&mut self, leader: NodeId, note: Note) {
        match note {
            Note::Request(requests) => {
                if requests.iter().any(|(kind, _)| *kind != EntryKind::Command) {
                    return self.out.push(Output::Drop { what: Dropped::Note, reason: DropReason::Unsupported });
                }
                for (_, request) in requests {
                    self.send(leader, Packet::Request(request));
                }
            }
            // They travel with the answer to the next ping (`LearnerSessionTracker.snapshot`).
            Note::Sessions(SessionNote::Touched(sessions)) => self.touched.extend(sessions),
            Note::Sessions(note @ SessionNote::Revalidate { .. }) => self.send(leader, Packet::Revalidate(note)),
            Note::Sessions(SessionNote::Revalidated { .. }) => {}
        }
    }

    /// A session's fate, from the leader; or the question, from a learner.
    pub(crate) fn on_revalidate(&mut self, from: NodeId, note: SessionNote) {
        match (&self.is, &note) {
            (Is::Leading(_), SessionNote::Revalidate { .. }) => self.on_learner_note(from, Note::Sessions(note)),
            (Is::Following(following), SessionNote::Revalidated { .. }) if following.stage == Stage::Serving => {
                self.out.push(Output::Told { from, note: Note::Sessions(note) });
            }
            _ => self.explain(Decision::Nonsense { from, what: "REVALIDATE out of turn" }),
        }
    }

    /// A read of what is committed now. A follower asks its leader, as a client's sync does; the leader answers from what it has
    /// proposed. (As in ZooKeeper, it does not ask a quorum whether it still leads: a leader that was cut off may answer for up to
    /// syncLimit what is no longer true.)
    pub(crate) fn on_read(&mut self, id: ReadId) {
        let (serving, last) = (self.is_serving(), self.history.last());
        match &mut self.is {
            Is::Leading(leading) if serving => leading.reads.push_back((id, last)),
            Is::Following(following) if serving => {
                following.reads.push_back(id);
                self.outbox.push(packet_to(following.leader, Packet::SyncRequest));
            }
            _ => self.out.push(Output::Drop { what: Dropped::Read(id), reason: DropReason::NoLeader }),
        }
    }

    /// SYNC: everything that was proposed when the oldest read was asked is committed, and came before this.
    pub(crate) fn on_sync(&mut self, from: NodeId) {
        let committed = self.committed;
        let Is::Following(following) = &mut self.is else { return };
        match following.reads.pop_front() {
            Some(id) => following.ready.push_back((id, committed)),
            None => self.explain(Decision::Nonsense { from, what: "a SYNC that nobody asked for" }),
        }
    }

    /// Answers the reads whose moment is applied.
    pub(crate) fn release_reads(&mut self) {
        let applied = self.applied;
        let waiting = match &mut self.is {
            Is::Leading(leading) => &mut leading.reads,
            Is::Following(following) => &mut following.ready,
            Is::Looking(_) => return,
        };
        while let Some(&(id, needs)) = waiting.front()
            && needs <= applied
        {
            waiting.pop_front();
            self.out.push(Output::ReadReady { id });
        }
    }

    /// ZooKeeper cannot name a successor. A leader that is asked to hand over stops leading, closes its links so that everybody looks
    /// for a leader at once, and in that one election votes for the follower that is to take over instead of itself.
    pub(crate) fn on_transfer_wanted(&mut self, to: Option<NodeId>) {
        let decline = |reason| Output::Drop { what: Dropped::Transfer, reason };
        let last = self.history.last();
        let Is::Leading(leading) = &self.is else { return self.out.push(decline(DropReason::NotLeader)) };
        let configuration = &self.config.configuration;
        let others = configuration.voters.iter().filter(|&&id| id != self.config.id && configuration.weight(id) > 0);
        let fit = |id: NodeId| leading.learners.get(&id).is_some_and(|learner| learner.stage.has_acked());
        match to {
            Some(to) if !others.clone().any(|&id| id == to) => return self.out.push(decline(DropReason::BadTarget)),
            None if others.clone().next().is_none() => return self.out.push(decline(DropReason::BadTarget)),
            _ => {}
        }
        // Its data should be as fresh as ours: whoever was named, else the one that has acknowledged most.
        let furthest = others.copied().filter(|&id| fit(id)).max_by_key(|&id| (leading.acked(id), id));
        let heir = to.filter(|&to| fit(to)).or(furthest);
        let epoch = self.current as i64;
        self.hands_over_to = heir.map(|heir| {
            let zxid = if leading.acked(heir).index == 0 { leading.initial } else { leading.acked(heir) };
            crate::Vote { epoch, zxid: zxid.min(last).zxid() as i64, leader: heir.0 as i64 }
        });
        self.stop_leading(crate::Downfall::HandsOver { to: heir });
    }
}
