//! What a server is, with the state of it, and how it becomes something else.
//!
//! ```text
//!                 ┌───────────── Looking ◀──────────────┐
//!                 │ elected    (LOOKING)    elected     │ quorum, link or patience lost
//!                 ▼                            │        │
//!             Following ───────────────────────┼────────┤
//!      (FOLLOWING, OBSERVING)                  ▼        │
//!                                           Leading ────┘
//!                                          (LEADING)
//! ```

use crate::election::Looking;
use crate::follow::Following;
use crate::lead::Leading;
use crate::{Decision, Dismissal, Downfall, Leaving, Packet, State, Vote, Zab};
use consensus::{DropReason, Dropped, How, Instant, Link, NodeId, Output, Role};

/// What a server is.
#[derive(Clone, Debug)]
pub(crate) enum Is {
    Looking(Looking),
    Following(Following),
    Leading(Leading),
}

/// A learner that came before it was known who leads.
#[derive(Clone, Debug)]
pub(crate) struct Early {
    pub(crate) since: Instant,
    /// Its first packet.
    pub(crate) info: Option<Packet>,
}

impl Zab {
    pub(crate) fn public_role(&self) -> Role {
        match &self.is {
            Is::Looking(_) => Role::Candidate,
            Is::Leading(_) => Role::Leader,
            Is::Following(following) if self.is_voter(self.id()) => Role::Follower { leader: Some(following.leader) },
            Is::Following(following) => Role::Learner { leader: Some(following.leader) },
        }
    }

    pub(crate) fn public_state(&self) -> State {
        match &self.is {
            Is::Looking(_) => State::Looking,
            Is::Leading(_) => State::Leading,
            Is::Following(_) if self.is_voter(self.id()) => State::Following,
            Is::Following(_) => State::Observing,
        }
    }

    pub(crate) fn is_voter(&self, id: NodeId) -> bool {
        self.config.configuration.voters.contains(&id)
    }

    pub(crate) fn voters(&self) -> usize {
        self.config.configuration.voters.len()
    }

    /// The election is over.
    pub(crate) fn become_elected(&mut self, vote: Vote, round: i64) {
        self.vote = vote;
        self.vote_round = round;
        self.round = round;
        match u64::try_from(vote.leader).map(NodeId) {
            Ok(leader) if leader == self.id() => self.become_leader(),
            Ok(leader) => {
                // Whoever took this server for its leader was mistaken.
                for peer in self.early.keys().copied().collect::<alloc::vec::Vec<_>>() {
                    self.turn_away(peer, Dismissal::DoesNotLead);
                }
                self.become_learner(leader);
            }
            Err(_) => unreachable!("nobody was elected"),
        }
        self.show();
    }

    /// Looks for a leader, once nothing stands against it.
    pub(crate) fn become_looking(&mut self, begin_at: Instant) {
        self.is = Is::Looking(Looking::new(begin_at));
        self.show();
    }

    /// Leaves the leader. An observer gives the voters a moment (`Observer.waitForObserverElectionDelay`).
    pub(crate) fn leave(&mut self, because: Leaving) {
        let Is::Following(following) = &mut self.is else { return };
        let leader = following.leader;
        for id in following.take_reads() {
            self.out.push(Output::Drop { what: Dropped::Read(id), reason: DropReason::LeaderChanged });
        }
        self.explain(Decision::Left { leader, because });
        if !matches!(because, Leaving::LinkLost | Leaving::LinkRefused | Leaving::Unreachable { .. }) {
            self.disconnect(leader);
        }
        self.disk.forget(leader);
        self.touched.clear();
        let delay = if self.is_voter(self.id()) {
            core::time::Duration::ZERO
        } else {
            self.chance.between(core::time::Duration::ZERO, self.config.observer_election_delay)
        };
        self.become_looking(self.now + delay);
    }

    /// Gives leadership up (`Leader.shutdown`).
    pub(crate) fn stop_leading(&mut self, because: Downfall) {
        let Is::Leading(leading) = &mut self.is else { return };
        let (epoch, peers) = (leading.epoch, leading.peers());
        for id in leading.take_reads() {
            self.out.push(Output::Drop { what: Dropped::Read(id), reason: DropReason::LeaderChanged });
        }
        self.explain(Decision::StoppedLeading { epoch, because });
        for peer in peers {
            self.disconnect(peer);
            self.disk.forget(peer);
        }
        for peer in core::mem::take(&mut self.early).into_keys() {
            self.disconnect(peer);
        }
        self.become_looking(self.now);
    }

    /// Closes the link of somebody who takes this server for its leader.
    pub(crate) fn turn_away(&mut self, peer: NodeId, because: Dismissal) {
        self.early.remove(&peer);
        self.explain(Decision::Dismissed { learner: peer, because });
        self.disconnect(peer);
    }

    pub(crate) fn disconnect(&mut self, peer: NodeId) {
        self.outbox.push(Output::Disconnect { peer, link: Link::Quorum, why: How::Lost });
    }

    /// Shows role and epoch if they changed.
    pub(crate) fn show(&mut self) {
        let shown = (self.accepted, self.public_role());
        if shown != self.shown {
            self.shown = shown;
            self.out.push(Output::ChangeRole { epoch: shown.0, role: shown.1 });
        }
    }
}
