//! Standing for election (Raft §5.2; Pre-Vote: thesis §9.6).
//!
//! ```text
//!              silence, refused link           quorum of pre-votes          quorum of votes
//!   Follower ────────────────────────▶ PreCandidate ───────────▶ Candidate ────────────────▶ Leader
//!      ▲                                    │                        │                         │
//!      └────────────────────────────────────┴────────────────────────┴─────────────────────────┘
//!                      a higher term, a leader of this term, defeat, a quorum lost
//! ```

use crate::mutant::Mutant;
use crate::role::{Candidacy, Following, Leading, PreCandidacy, Role, Uncommitted};
use crate::vote::Request;
use crate::{Ballot, Body, Decision, Downfall, Progress, Raft, Unfit, Why};
use alloc::collections::BTreeMap;
use consensus::{DropReason, How, Instant, NodeId, Tally, Ticket};

impl Raft {
    /// Looks at what time has brought about. Every step begins here, so that a process that was paused learns the truth first.
    pub(crate) fn on_time(&mut self) {
        self.check_transfer();
        match &self.role {
            Role::Leader(_) => {
                self.check_quorum();
                self.check_disk();
                if self.role.leading().is_some_and(|leading| leading.heartbeat_at <= self.now) {
                    self.on_heartbeat_due();
                }
            }
            Role::PreCandidate(PreCandidacy { election_at, .. }) | Role::Candidate(Candidacy { election_at, .. }) => {
                if *election_at <= self.now {
                    self.stand(Why::Undecided);
                }
            }
            Role::Follower(following) | Role::Learner(following) => {
                if following.election_at <= self.now {
                    let lasted = self.now.since(following.heard);
                    let silence = match following.leader {
                        _ if self.is_alone() => Why::Alone,
                        Some(leader) => Why::Silence { leader, lasted },
                        None => Why::NoLeader { lasted },
                    };
                    let why = following.why.unwrap_or(silence);
                    self.stand(why);
                }
                if self.lease().is_none() {
                    self.answer_kept();
                }
            }
        }
    }

    /// When `on_time` has something to do.
    pub(crate) fn role_deadline(&self) -> Instant {
        let timeout = self.config.election_timeout;
        let tick = core::time::Duration::from_nanos(1);
        match &self.role {
            Role::Leader(leading) => {
                let mut deadline = leading.heartbeat_at;
                if self.checks_quorum() {
                    if let Some(heard) = self.quorum_heard(leading) {
                        deadline = deadline.min(heard + timeout + tick);
                    }
                    if let Some(since) = self.disk.open_since().filter(|_| !self.is_alone()) {
                        deadline = deadline.min(since + timeout + tick);
                    }
                }
                leading.transfer.map_or(deadline, |transfer| deadline.min(transfer.until))
            }
            Role::PreCandidate(PreCandidacy { election_at, .. }) | Role::Candidate(Candidacy { election_at, .. }) => *election_at,
            Role::Follower(following) | Role::Learner(following) if following.kept.is_empty() => following.election_at,
            Role::Follower(following) | Role::Learner(following) => following.election_at.min(following.heard + timeout),
        }
    }

    /// The link to a peer is gone.
    pub(crate) fn on_leader_link_lost(&mut self, peer: NodeId, how: How) {
        if how != How::Refused || !self.config.stands_early() {
            return;
        }
        let leader_lost = self.role.following().is_some_and(|following| following.leader == Some(peer));
        if !leader_lost {
            return;
        }
        // Nobody listens where the leader was: its process is gone, and nothing that it was promised binds any more.
        let kept = self.take_kept();
        self.become_follower(None);
        let candidates = kept.into_iter().filter(|(_, kept)| kept.term > self.term && self.is_as_recent(kept.last));
        let best = candidates.max_by_key(|&(candidate, kept)| (kept.last, candidate));
        if let Some((candidate, kept)) = best {
            // Another noticed first and only needs our word.
            self.stand_back(candidate, kept.last, true, Some(Why::LinkRefused { leader: peer }));
            self.on_request(Request { candidate, term: kept.term, last: kept.last, ballot: Ballot::Pre });
        } else if self.is_promotable() {
            self.stand(Why::LinkRefused { leader: peer });
        }
    }

    /// A pre-candidate hears a better-ranked one that stood at the same moment: it lets that one go first, so that they do not
    /// split the vote.
    pub(crate) fn yield_to_better(&mut self, request: Request) {
        let Request { candidate, term, last, .. } = request;
        if term > self.term && self.stood_lately() && (last, candidate) > (self.history.last(), self.id()) {
            self.become_follower(None);
            self.stand_back(candidate, last, false, None);
        }
    }

    /// Whether this member asked for pre-votes less than a heartbeat ago, in a cluster where several may do so at once.
    pub(crate) fn stood_lately(&self) -> bool {
        match &self.role {
            Role::PreCandidate(candidacy) => {
                self.config.stands_early() && self.now.since(candidacy.since) < self.config.heartbeat_interval
            }
            _ => false,
        }
    }

    /// The leader handed leadership to this member (thesis §3.10). No pre-vote: this is not a partition that heals.
    pub(crate) fn on_timeout_now(&mut self, leader: NodeId) {
        match &self.role {
            Role::Follower(following) if following.leader == Some(leader) => {
                if !self.is_promotable() {
                    self.explain(Decision::DidNotStand(Unfit::NotAVoter));
                } else if self.is_fit() {
                    self.stand_for_real(Why::Transfer { leader }, true);
                }
            }
            _ => self.explain(Decision::Nonsense { from: leader, what: "told to stand, but not by the leader it follows" }),
        }
    }

    /// An answer to a request of this candidacy.
    pub(crate) fn on_answer(&mut self, from: NodeId, ballot: Ballot, granted: bool) {
        let id = self.id();
        let answers = match (&mut self.role, ballot) {
            (Role::PreCandidate(candidacy), Ballot::Pre) => &mut candidacy.answers,
            // Nobody was asked before its own vote was on disk, so nobody can have answered.
            (Role::Candidate(candidacy), Ballot::Real) if candidacy.answers.contains_key(&id) => &mut candidacy.answers,
            // A late answer to a role that was left.
            _ => return,
        };
        // The first answer counts: a member votes once.
        answers.entry(from).or_insert(granted);
        self.count(ballot);
    }

    /// This member's own vote counts once it is on disk.
    pub(crate) fn count_own_vote(&mut self) {
        let id = self.id();
        let bent = self.config.is_bent(Mutant::VoteBeforeSync);
        let Role::Candidate(candidacy) = &mut self.role else { return };
        if !candidacy.answers.contains_key(&id) && (self.disk.is_synced(candidacy.own_vote) || bent) {
            candidacy.answers.insert(id, true);
            self.count(Ballot::Real);
        }
    }

    /// A link to a peer stands: what was asked before is lost.
    pub(crate) fn ask_again(&mut self, peer: NodeId) {
        if !self.configuration.voters.contains(&peer) {
            return;
        }
        match &self.role {
            Role::PreCandidate(candidacy) if !candidacy.answers.contains_key(&peer) => self.ask_for_pre_vote(peer),
            Role::Candidate(candidacy) if !candidacy.answers.contains_key(&peer) => self.ask_for_vote(peer),
            _ => {}
        }
    }

    /// Enters `term`, which `from` told of, following nobody yet.
    pub(crate) fn adopt_term(&mut self, term: u64, from: NodeId) {
        assert!(term > self.term, "term went back: {term}");
        if self.role.leading().is_some() {
            let because = Downfall::HigherTerm { term, from };
            self.explain(Decision::SteppedDown { term: self.term, because });
        } else {
            self.explain(Decision::AdoptedTerm { term, from });
        }
        // A follower's timer runs on: only a leader's message or a vote that it gives starts it anew (§5.2). Otherwise a candidate that
        // cannot win could keep those who can from standing, as long as its timers end before theirs.
        let running = self.role.following().map(|following| (following.heard, following.election_at));
        self.become_follower(None);
        if let (Some((heard, election_at)), Some(following)) = (running, self.role.following_mut()) {
            (following.heard, following.election_at) = (heard, election_at);
        }
        self.enter_term(term, None);
    }

    /// A member that leads this term was heard.
    pub(crate) fn follow(&mut self, leader: NodeId) {
        let (now, election_at) = (self.now, self.draw_election_at());
        self.promised_until = now + self.config.election_timeout;
        match self.role.following_mut() {
            Some(following) if following.leader.is_none_or(|known| known == leader) => {
                following.leader = Some(leader);
                following.heard = now;
                following.election_at = election_at;
                following.why = None;
            }
            Some(_) | None => self.become_follower(Some(leader)),
        }
    }

    /// Leaves whatever role it has.
    pub(crate) fn become_follower(&mut self, leader: Option<NodeId>) {
        self.abandon_rounds();
        if self.role.leading().is_some_and(|leading| leading.transfer.is_some_and(|transfer| !transfer.told)) {
            self.end_transfer(DropReason::LeaderChanged, "leadership was lost before");
        }
        let election_at = self.draw_election_at();
        let following = Following { leader, heard: self.now, election_at, why: None, kept: BTreeMap::new() };
        self.role =
            if self.configuration.learners.contains(&self.id()) { Role::Learner(following) } else { Role::Follower(following) };
    }

    /// Starts the election timer anew: a vote was given (§5.2).
    pub(crate) fn restart_election_timer(&mut self) {
        let election_at = self.draw_election_at();
        if let Some(following) = self.role.following_mut() {
            following.election_at = election_at;
        }
    }

    /// Stands with the next step.
    pub(crate) fn restart_election_timer_now(&mut self) {
        let now = self.now;
        if let Some(following) = self.role.following_mut() {
            following.election_at = now;
        }
    }

    /// When to stand if nothing is heard until then: drawn anew at every reset, so that split votes are rare and do not last (§5.2).
    /// Never, for who is no voter.
    pub(crate) fn draw_election_at(&mut self) -> Instant {
        let timeout = self.config.election_timeout;
        let drawn = self.chance.between(timeout, timeout * 2);
        let span = self.config.election_timer.unwrap_or(drawn);
        if self.is_promotable() { self.now + span } else { Instant::NEVER }
    }

    /// Whether this member may stand: it is a voter of its own configuration, and remembers what it promised.
    pub(crate) fn is_promotable(&self) -> bool {
        self.configuration.voters.contains(&self.id()) && !self.abstains()
    }

    /// Whether this member is the only voter.
    pub(crate) fn is_alone(&self) -> bool {
        self.configuration.voters.len() == 1 && self.is_promotable()
    }

    /// Whether this leader steps down when it does not hear a quorum.
    fn checks_quorum(&self) -> bool {
        self.config.check_quorum && !self.config.is_bent(Mutant::LeaseWithoutCheckQuorum)
    }

    /// The latest moment since which a quorum was heard, this member itself included.
    fn quorum_heard(&self, leading: &Leading) -> Option<Instant> {
        self.configuration.reached(|id| {
            if id == self.id() {
                self.now
            } else {
                leading.progress.get(&id).map_or(leading.since, |it| it.heard().unwrap_or(leading.since))
            }
        })
    }

    /// A leader that has not heard from a quorum for an election timeout steps down: another may lead by now.
    fn check_quorum(&mut self) {
        let Some(leading) = self.role.leading() else { return };
        let Some(quorum_heard) = self.quorum_heard(leading).filter(|_| self.checks_quorum()) else { return };
        let lasted = self.now.since(quorum_heard);
        if lasted <= self.config.election_timeout {
            return;
        }
        let lately =
            |progress: &&Progress| progress.heard().is_some_and(|heard| self.now.since(heard) <= self.config.election_timeout);
        let others = leading.progress.iter().filter(|(id, _)| self.configuration.voters.contains(id));
        let heard = 1 + others.map(|(_, progress)| progress).filter(lately).count();
        let of = self.configuration.voters.len();
        self.explain(Decision::SteppedDown { term: self.term, because: Downfall::QuorumLost { heard, of, lasted } });
        self.become_follower(None);
    }

    /// Timers never wait for the disk: a leader whose own log write hangs makes room for one whose disk works. Alone it stays:
    /// nobody else could lead.
    fn check_disk(&mut self) {
        let lasted = self.disk.open_for(self.now);
        if self.role.leading().is_none() || !self.checks_quorum() || self.is_alone() || lasted <= self.config.election_timeout {
            return;
        }
        self.explain(Decision::SteppedDown { term: self.term, because: Downfall::DiskStuck { lasted } });
        self.become_follower(None);
    }

    /// Whether this member could lead now, if it won; says why not.
    fn is_fit(&mut self) -> bool {
        let lasted = self.disk.open_for(self.now);
        let unfit = if self.installing.is_some() {
            Unfit::Installing
        } else if lasted > self.config.election_timeout {
            // It could not vote for itself; and another unsynced vote each time out would pile up.
            Unfit::DiskStuck { lasted }
        } else {
            return true;
        };
        self.explain(Decision::DidNotStand(unfit));
        false
    }

    fn stand(&mut self, why: Why) {
        if !self.is_promotable() || !self.is_fit() {
            self.become_follower(None);
        } else if self.config.pre_vote {
            self.stand_for_pre_vote(why);
        } else {
            self.stand_for_real(why, false);
        }
    }

    /// Asks who would vote for it. Neither its term nor its vote changes: who cannot win disturbs nobody (thesis §9.6).
    fn stand_for_pre_vote(&mut self, why: Why) {
        let election_at = self.draw_election_at();
        let answers = BTreeMap::from([(self.id(), true)]);
        self.role = Role::PreCandidate(PreCandidacy { since: self.now, answers, election_at });
        self.explain(Decision::Stood { ballot: Ballot::Pre, term: self.term + 1, why });
        for peer in self.other_voters() {
            self.ask_for_pre_vote(peer);
        }
        self.count(Ballot::Pre);
    }

    /// Enters a new term and asks for votes, its own first (§5.2).
    fn stand_for_real(&mut self, why: Why, transfer: bool) {
        let election_at = self.draw_election_at();
        self.become_follower(None);
        self.enter_term(self.term + 1, Some(self.id()));
        let own_vote = self.disk.promised_by();
        self.role = Role::Candidate(Candidacy { answers: BTreeMap::new(), own_vote, transfer, election_at });
        self.explain(Decision::Stood { ballot: Ballot::Real, term: self.term, why });
        for peer in self.other_voters() {
            self.ask_for_vote(peer);
        }
        self.count_own_vote();
    }

    fn ask_for_pre_vote(&mut self, peer: NodeId) {
        let last = self.history.last();
        self.send_at(self.term + 1, peer, Body::RequestPreVote { last }, self.disk.promised_by());
    }

    /// Withheld until term and vote are on disk: a candidate that forgets its vote could give a second one.
    fn ask_for_vote(&mut self, peer: NodeId) {
        let Role::Candidate(Candidacy { transfer, .. }) = self.role else { return };
        let last = self.history.last();
        let until = if self.config.is_bent(Mutant::VoteBeforeSync) { Ticket(0) } else { self.disk.promised_by() };
        self.send_at(self.term, peer, Body::RequestVote { last, transfer }, until);
    }

    fn count(&mut self, ballot: Ballot) {
        let answers = match &self.role {
            Role::PreCandidate(candidacy) => &candidacy.answers,
            Role::Candidate(candidacy) => &candidacy.answers,
            _ => return,
        };
        let of = self.configuration.voters.len();
        let said = |what: bool| answers.iter().filter(|&(id, &it)| it == what && self.configuration.voters.contains(id)).count();
        let (votes, against) = (said(true), said(false));
        match (self.configuration.tally(answers), ballot) {
            (Tally::Open, _) => {}
            (Tally::Won, Ballot::Pre) => self.stand_for_real(Why::PreVoteWon { votes, of }, false),
            (Tally::Won, Ballot::Real) => {
                self.explain(Decision::Won { term: self.term, votes, of });
                self.lead();
            }
            (Tally::Lost, _) => {
                let term = if ballot == Ballot::Pre { self.term + 1 } else { self.term };
                self.explain(Decision::Lost { ballot, term, against, of });
                self.become_follower(None);
            }
        }
    }

    /// Leads from now on. The first entry is empty and of this term: once it is committed, so is all before it (§5.4.2, §8).
    fn lead(&mut self) {
        let last = self.history.last().index;
        let id = self.id();
        let progress = self.configuration.members().filter(|&member| member != id).map(|it| (it, Progress::new(last)));
        self.reads.withdraw();
        self.role = Role::Leader(Leading {
            since: self.now,
            heartbeat_at: self.now + self.config.heartbeat_interval,
            progress: progress.collect(),
            rounds: Default::default(),
            transfer: None,
            lease_forgone: false,
            uncommitted: Uncommitted::default(),
        });
        self.append_own(alloc::vec![bytes::Bytes::new()]);
    }

    /// Waits a heartbeat for another candidate.
    fn stand_back(&mut self, before: NodeId, theirs: consensus::Position, asked_first: bool, why: Option<Why>) {
        self.explain(Decision::StoodBack { before, theirs, mine: self.history.last(), asked_first });
        let election_at = if self.is_promotable() { self.now + self.config.heartbeat_interval } else { Instant::NEVER };
        if let Some(following) = self.role.following_mut() {
            following.election_at = election_at;
            following.why = why;
        }
    }

    fn enter_term(&mut self, term: u64, vote: Option<NodeId>) {
        self.term = term;
        self.vote = vote;
        self.disk.on_promise(term);
    }

    fn other_voters(&self) -> alloc::vec::Vec<NodeId> {
        let id = self.id();
        self.configuration.voters.iter().copied().filter(|&voter| voter != id).collect()
    }
}
