//! Fast Leader Election: everybody says whom it votes for, adopts what is better, and believes once a quorum agrees
//! (`FastLeaderElection.lookForLeader`).
//!
//! Nothing here is kept on disk, and safety does not rest on any of it: two servers may well both believe that they were elected.
//! What makes an epoch's leader the only one is discovery (see `lead`): a quorum promises each epoch once, and any two quorums share
//! a server. The election only has to find, most of the time, a server whose history nobody beats.

use crate::mutant::Mutant;
use crate::role::Is;
use crate::{Believed, Decision, Message, Notification, State, Vote, Zab};
use alloc::collections::BTreeMap;
use consensus::{Instant, NodeId, Output};
use core::time::Duration;

/// Rounds beyond this come from nobody sane.
const ROUND_MAX: i64 = i64::MAX - (1 << 32);

/// A server that looks for a leader.
#[derive(Clone, Debug)]
pub(crate) struct Looking {
    /// The first notification leaves then.
    begin_at: Instant,
    begun: Option<Begun>,
}

/// An election in which this server has voted.
#[derive(Clone, Debug)]
struct Begun {
    /// Its vote at the beginning of each round.
    initial: Vote,
    /// Its vote now.
    proposal: Vote,
    /// The votes of this round (`recvset`).
    votes: BTreeMap<NodeId, Notification>,
    /// What those say who are done with their election (`outofelection`).
    decided: BTreeMap<NodeId, Notification>,
    resend_at: Instant,
    interval: Duration,
    /// Since when a quorum votes as this server does, without a better vote.
    agreed: Option<Instant>,
}

impl Looking {
    pub(crate) fn new(begin_at: Instant) -> Looking {
        Looking { begin_at, begun: None }
    }
}

impl Begun {
    /// Who has voted like this (`getVoteTracker`).
    fn agree(votes: &BTreeMap<NodeId, Notification>, like: &Notification) -> impl Fn(NodeId) -> bool {
        move |id| votes.get(&id).is_some_and(|vote| is_same(vote, like))
    }

    fn own(&self, round: i64) -> Notification {
        Notification { state: State::Looking, vote: self.proposal, round }
    }
}

/// `Vote.equals`: of those who are done, zxid and round do not matter; they name the leader of one epoch.
fn is_same(one: &Notification, other: &Notification) -> bool {
    if one.state == State::Looking || other.state == State::Looking {
        one.vote == other.vote && one.round == other.round
    } else {
        one.vote.leader == other.vote.leader && one.vote.epoch == other.vote.epoch
    }
}

impl Zab {
    /// When a server that looks for a leader has something to do.
    pub(crate) fn looking_deadline(&self, looking: &Looking) -> Instant {
        match &looking.begun {
            None if self.may_begin() => looking.begin_at,
            None => Instant::NEVER,
            Some(begun) => {
                let believe = begun.agreed.map_or(Instant::NEVER, |since| since + self.config.finalize_wait);
                begun.resend_at.min(believe)
            }
        }
    }

    /// What its log ends with must be certain before it says so: not while a snapshot replaces it, nor while the disk hangs (it
    /// could lead nobody).
    fn may_begin(&self) -> bool {
        self.installing.is_none() && self.disk.open_for(self.now) < self.config.sync_time()
    }

    /// Begins, repeats, believes: what is due.
    pub(crate) fn look_on_time(&mut self) {
        let Is::Looking(looking) = &self.is else { return };
        let Some(begun) = &looking.begun else {
            if looking.begin_at <= self.now && self.may_begin() {
                self.begin_round();
            }
            return;
        };
        if begun.agreed.is_some_and(|since| since + self.config.finalize_wait <= self.now) {
            return self.believe(Believed::Silence { lasted: self.config.finalize_wait });
        }
        if begun.resend_at <= self.now {
            self.repeat_vote();
        }
    }

    fn begin_round(&mut self) {
        // The logical clock lives in memory only; entering an election moves it on.
        self.round = self.round.saturating_add(1).min(ROUND_MAX);
        let initial = self.initial_vote();
        // Whether a voter's process runs is found out anew: every notification to it that finds nobody says so.
        self.refused.clear();
        let interval = self.config.notification_interval_min;
        let begun = Begun {
            initial,
            proposal: initial,
            votes: BTreeMap::new(),
            decided: BTreeMap::new(),
            resend_at: self.now + interval,
            interval,
            agreed: None,
        };
        self.explain(if initial.zxid == -1 {
            Decision::LooksUntrusted { round: self.round }
        } else {
            Decision::Looks { round: self.round, vote: initial }
        });
        let Is::Looking(looking) = &mut self.is else { return };
        looking.begun = Some(begun);
        self.say_vote();
        self.count_votes();
    }

    /// Whom this server proposes on its own: itself, an observer nobody (`getInitId`, `getInitLastLoggedZxid`, `getPeerEpoch`).
    fn initial_vote(&mut self) -> Vote {
        if !self.is_voter(self.id()) {
            return Vote::NOBODY;
        }
        // Whoever hands leadership over votes, for one election, for the one who is to take it.
        if let Some(vote) = self.hands_over_to.take() {
            return vote;
        }
        let zxid = if self.trusted { self.history.last().zxid() as i64 } else { -1 };
        Vote { epoch: self.current as i64, zxid, leader: self.id().0 as i64 }
    }

    /// Sends this server's vote to every voter; its own is counted at once (Java loops it through its queue).
    fn say_vote(&mut self) {
        let Is::Looking(Looking { begun: Some(begun), .. }) = &mut self.is else { return };
        let notification = begun.own(self.round);
        let me = self.config.id;
        for &voter in &self.config.configuration.voters {
            if voter != me {
                self.outbox.push(Output::Send { to: voter, message: Message::Notification(notification) });
            } else if begun.initial.zxid != -1 {
                begun.votes.insert(me, notification);
            }
        }
        begun.agreed = None;
    }

    /// No news for a while: the votes may have been lost.
    fn repeat_vote(&mut self) {
        let (agree, of) = (self.agreeing(), self.voters());
        // Nobody tells an observer of a new leader unasked, so it asks once a tick at least.
        let observes = !self.is_voter(self.id());
        let max = self.config.notification_interval_max;
        let max = if observes { max.min(self.config.tick) } else { max };
        let Is::Looking(Looking { begun: Some(begun), .. }) = &mut self.is else { return };
        begun.interval = (begun.interval * 2).min(max);
        begun.resend_at = self.now + begun.interval;
        let agreed = begun.agreed;
        if agreed.is_none() {
            self.explain(Decision::NotEnough { agree, of });
        }
        self.say_vote();
        if let Is::Looking(Looking { begun: Some(begun), .. }) = &mut self.is {
            begun.agreed = agreed;
        }
    }

    fn agreeing(&self) -> usize {
        let Is::Looking(Looking { begun: Some(begun), .. }) = &self.is else { return 0 };
        let like = begun.own(self.round);
        let agree = Begun::agree(&begun.votes, &like);
        self.config.configuration.voters.iter().filter(|&&id| agree(id)).count()
    }

    /// `totalOrderPredicate`: the later epoch, then the fresher data, then the larger id. Whoever has no weight is never better.
    fn is_better(&self, new: Vote, current: Vote) -> bool {
        let weight = u64::try_from(new.leader).map_or(0, |id| self.config.configuration.weight(NodeId(id)));
        if weight == 0 {
            return false;
        }
        if self.config.is_bent(Mutant::VoteComparesIdBeforeZxid) {
            return (new.leader, new.epoch, new.zxid) > (current.leader, current.epoch, current.zxid);
        }
        new > current
    }

    /// A voter or an observer says what it thinks of the election.
    pub(crate) fn on_notification(&mut self, from: NodeId, notification: Notification) {
        self.refused.remove(&from);
        if notification.round < 0 || notification.round > ROUND_MAX {
            return self.explain(Decision::Nonsense { from, what: "its round is beyond all counting" });
        }
        let looks = notification.state == State::Looking;
        if !self.is_voter(from) {
            // It wants to know, and is not counted (`WorkerReceiver`: not a valid voter). But two that look, it in a later round,
            // would answer each other without end: it is told when there is something to tell.
            let in_later_round = matches!(self.is, Is::Looking(_)) && notification.round > self.round;
            if looks && !in_later_round {
                self.tell_vote(from);
            }
            return;
        }
        match &self.is {
            Is::Looking(Looking { begun: Some(_), .. }) => {
                // Whoever is rounds behind is told, besides. Not by an observer, whose vote is of no use to anybody.
                if looks && notification.round < self.round && self.is_voter(self.id()) {
                    self.tell_vote(from);
                }
                self.on_vote(from, notification);
            }
            // It has not voted yet, and says so when it does.
            Is::Looking(_) => {}
            Is::Following(_) | Is::Leading(_) => {
                if looks {
                    self.tell_vote(from);
                    self.on_voter_looks(from, notification.round);
                }
            }
        }
    }

    /// A link to somebody's election port stands: what was said while it did not may be lost.
    pub(crate) fn on_election_link(&mut self, peer: NodeId) {
        self.refused.remove(&peer);
        if self.is_voter(peer) && matches!(self.is, Is::Looking(Looking { begun: Some(_), .. })) {
            self.tell_vote(peer);
        }
    }

    /// No process listens at somebody's election port.
    pub(crate) fn on_election_refused(&mut self, peer: NodeId) {
        if self.is_voter(peer) {
            self.refused.insert(peer);
            self.count_votes();
        }
    }

    /// Tells one server what this one thinks: its proposal, or the vote that stands.
    fn tell_vote(&mut self, to: NodeId) {
        if !self.config.configuration.contains(to) || to == self.id() {
            return;
        }
        let notification = match &self.is {
            Is::Looking(Looking { begun: Some(begun), .. }) => begun.own(self.round),
            Is::Looking(_) => return,
            _ => Notification { state: self.public_state(), vote: self.vote, round: self.vote_round },
        };
        self.outbox.push(Output::Send { to, message: Message::Notification(notification) });
    }

    /// Somebody's vote, while this server looks for a leader itself.
    fn on_vote(&mut self, from: NodeId, notification: Notification) {
        let Ok(leader) = u64::try_from(notification.vote.leader).map(NodeId) else { return };
        if !self.is_voter(leader) {
            return;
        }
        match notification.state {
            State::Looking => self.on_looking_vote(from, notification),
            State::Following | State::Leading => self.on_decided_vote(from, leader, notification),
            State::Observing => {}
        }
    }

    fn on_looking_vote(&mut self, from: NodeId, notification: Notification) {
        let Is::Looking(Looking { begun: Some(begun), .. }) = &self.is else { return };
        let (initial, proposal) = (begun.initial, begun.proposal);
        // Who cannot trust his database has no say in an election, nor is he told.
        if initial.zxid == -1 || notification.vote.zxid == -1 {
            return;
        }
        let round = notification.round;
        if round < self.round {
            return;
        }
        if round > self.round {
            self.explain(Decision::JoinedRound { round, left: self.round, from });
            self.round = round;
            let better = self.is_better(notification.vote, initial);
            let proposal = if better { notification.vote } else { initial };
            if better {
                self.explain(Decision::Prefers { vote: proposal, over: initial });
            }
            let Is::Looking(Looking { begun: Some(begun), .. }) = &mut self.is else { return };
            begun.votes.clear();
            begun.proposal = proposal;
            self.say_vote();
        } else if self.is_better(notification.vote, proposal) {
            self.explain(Decision::Prefers { vote: notification.vote, over: proposal });
            let Is::Looking(Looking { begun: Some(begun), .. }) = &mut self.is else { return };
            begun.proposal = notification.vote;
            self.say_vote();
        }
        let Is::Looking(Looking { begun: Some(begun), .. }) = &mut self.is else { return };
        let earlier = begun.votes.insert(from, notification);
        let proposal = begun.proposal;
        // Whoever says again, or once more from the beginning, what it should know to be surpassed has not heard: a link or its
        // process was lost. Otherwise it would wait for the next repetition here, up to a minute. (Java's connections begin with
        // the last message said over the one before.)
        let repeats = earlier.is_some_and(|earlier| earlier.vote >= notification.vote);
        // And whoever still followed somebody when it was asked has thrown the question away: servers do not learn at the same
        // moment that their leader is dead.
        let was_asked_too_early = earlier.is_none() && begun.decided.contains_key(&from);
        if (repeats || was_asked_too_early) && self.is_better(proposal, notification.vote) && self.is_voter(self.id()) {
            self.tell_vote(from);
        }
        self.count_votes();
    }

    /// Whether a quorum votes as this server does, and what follows.
    pub(crate) fn count_votes(&mut self) {
        let Is::Looking(Looking { begun: Some(begun), .. }) = &mut self.is else { return };
        let like = begun.own(self.round);
        if !self.config.configuration.is_quorum(Begun::agree(&begun.votes, &like)) {
            begun.agreed = None;
            return;
        }
        // ZooKeeper waits before it believes a winner: a better vote may be on its way (`finalizeWait`).
        begun.agreed.get_or_insert(self.now);
        // The wait is a courtesy to voters whose better vote has not arrived. Once every voter has voted in this round, or no
        // process listens at its election port, nobody is left to be polite to. If that is a mistake (the port was refused while
        // its server was starting), the leader may be one whose history somebody beats; discovery then finds out, as it does when
        // the 200 ms were too short. Safety rests on quorums there, never on this wait (DESIGN 14).
        if self.config.early_finalize {
            let voters = &self.config.configuration.voters;
            let voted = voters.iter().filter(|id| begun.votes.contains_key(id)).count();
            let absent = voters.iter().filter(|id| !begun.votes.contains_key(id) && self.refused.contains(id)).count();
            if voted + absent == voters.len() {
                self.believe(Believed::NobodyLeft { voted, absent });
            }
        }
    }

    fn believe(&mut self, because: Believed) {
        let (agree, of) = (self.agreeing(), self.voters());
        let Is::Looking(Looking { begun: Some(begun), .. }) = &self.is else { return };
        let (vote, round) = (begun.proposal, self.round);
        let leader = NodeId(vote.leader as u64);
        self.explain(Decision::Elected { leader, round, agree, of, because });
        self.become_elected(vote, round);
    }

    /// Somebody is done with its election and says whom it follows, or that it leads
    /// (`receivedFollowingNotification`, `receivedLeadingNotification`).
    fn on_decided_vote(&mut self, from: NodeId, leader: NodeId, notification: Notification) {
        let (me, round, trusted) = (self.id(), self.round, self.trusted);
        let Is::Looking(Looking { begun: Some(begun), .. }) = &mut self.is else { return };
        let configuration = &self.config.configuration;
        // A leader is believed only if it says so itself: one that has died leaves followers who do not know yet. And this
        // server believes in itself only in the very round in which the others elected it (`checkLeader`).
        let leads = |votes: &BTreeMap<NodeId, Notification>| {
            if leader == me {
                notification.round == round && trusted
            } else {
                votes.get(&leader).is_some_and(|vote| vote.state == State::Leading)
            }
        };
        let mut joins = false;
        if notification.round == round {
            begun.votes.insert(from, notification);
            joins = configuration.is_quorum(Begun::agree(&begun.votes, &notification)) && leads(&begun.votes);
        }
        if !joins {
            begun.decided.insert(from, notification);
            joins = configuration.is_quorum(Begun::agree(&begun.decided, &notification)) && leads(&begun.decided);
        }
        if joins {
            self.explain(Decision::Joins { leader, round: notification.round });
            self.become_elected(notification.vote, notification.round);
        } else {
            self.count_votes();
        }
    }
}
