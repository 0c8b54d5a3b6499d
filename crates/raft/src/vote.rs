//! Whom to vote for (Raft §5.2, §5.4.1; Pre-Vote: thesis §9.6).

use crate::mutant::Mutant;
use crate::role::Kept;
use crate::{Ballot, Body, Decision, Raft, Refusal};
use alloc::collections::BTreeMap;
use consensus::{NodeId, Position, Ticket};
use core::mem;

/// A request for a vote or a pre-vote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) candidate: NodeId,
    /// The term that the candidate wants to lead.
    pub(crate) term: u64,
    /// The end of its log.
    pub(crate) last: Position,
    pub(crate) ballot: Ballot,
}

impl Raft {
    /// A request of a higher term while a lease binds this member: it gets no answer, or none yet (thesis §4.2.3).
    ///
    /// A pre-vote request is kept: if the leader's process is gone the candidate merely noticed it first, and the answer can leave
    /// the moment that this member notices too.
    pub(crate) fn on_request_in_lease(&mut self, request: Request, because: Refusal) {
        let Request { candidate, term, last, ballot } = request;
        let since = self.now;
        match (self.role.following_mut(), because) {
            (Some(following), Refusal::Lease { leader, left }) if ballot == Ballot::Pre && self.config.stands_early() => {
                following.kept.insert(candidate, Kept { term, last, since });
                self.explain(Decision::KeptWaiting { candidate, leader, left });
            }
            _ => self.explain(Decision::RefusedVote { candidate, ballot, term, because }),
        }
    }

    /// A request of this term, or a pre-vote request of a later one. Learners answer too: the candidate may know better than they
    /// whether they are voters by now.
    pub(crate) fn on_request(&mut self, request: Request) {
        let Request { candidate, term, ballot, .. } = request;
        if let Some(because) = self.judge(request) {
            self.explain(Decision::RefusedVote { candidate, ballot, term, because });
            // A refusal carries our own term: a candidate that lags behind learns it (etcd #8243).
            self.send(candidate, answer(ballot, false));
            return;
        }
        self.explain(Decision::Voted { candidate, ballot, term });
        match ballot {
            // Echoes the request's term: ours may be so low that the candidate would ignore it. Several may be told yes.
            Ballot::Pre => self.send_at(term, candidate, answer(ballot, true), self.disk.promised_by()),
            Ballot::Real => {
                if self.vote != Some(candidate) {
                    self.vote = Some(candidate);
                    self.disk.on_promise(self.term);
                }
                self.restart_election_timer();
                let until = if self.config.is_bent(Mutant::VoteBeforeSync) { Ticket(0) } else { self.disk.promised_by() };
                self.send_at(term, candidate, answer(ballot, true), until);
            }
        }
    }

    /// A request of a term that is over: the candidate is told so (§5.1).
    pub(crate) fn on_late_request(&mut self, request: Request) {
        let Request { candidate, term, ballot, .. } = request;
        if ballot == Ballot::Real && self.vote == Some(candidate) {
            // It has come to our term since, and would take the answer for one to its later request.
            return;
        }
        self.explain(Decision::RefusedVote { candidate, ballot, term, because: Refusal::LowerTerm { mine: self.term } });
        self.send(candidate, answer(ballot, false));
    }

    /// The lease is over, or void: the pre-vote requests that waited for that are answered. Two that hear yes at the same moment would
    /// stand in the same term and split the vote, so of those that may win only the best-ranked one does; the others ask again.
    pub(crate) fn answer_kept(&mut self) {
        let mut kept = self.take_kept();
        let may_win = |kept: &Kept| kept.term > self.term && self.is_as_recent(kept.last);
        let best = kept.iter().filter(|(_, kept)| may_win(kept)).max_by_key(|&(&candidate, kept)| (kept.last, candidate));
        let best = best.map(|(&candidate, _)| candidate);
        kept.retain(|&candidate, kept| Some(candidate) == best || !may_win(kept));
        for (candidate, kept) in kept {
            let request = Request { candidate, term: kept.term, last: kept.last, ballot: Ballot::Pre };
            if kept.term < self.term {
                self.on_late_request(request);
            } else {
                self.on_request(request);
            }
        }
    }

    /// The kept requests that are young enough: who asked longer than an election timeout ago has asked again, or has a leader.
    pub(crate) fn take_kept(&mut self) -> BTreeMap<NodeId, Kept> {
        let (now, timeout) = (self.now, self.config.election_timeout);
        let mut kept = self.role.following_mut().map(|following| mem::take(&mut following.kept)).unwrap_or_default();
        kept.retain(|_, kept| now.since(kept.since) <= timeout);
        kept
    }

    /// Whether a log that ends at `last` is at least as recent as ours (§5.4.1). The order of positions *is* that rule.
    pub(crate) fn is_as_recent(&self, last: Position) -> bool {
        let mine = self.history.last();
        if self.config.is_bent(Mutant::VoteComparesIndexBeforeTerm) {
            return (last.index, last.epoch) >= (mine.index, mine.epoch);
        }
        last >= mine
    }

    /// Why not.
    fn judge(&self, request: Request) -> Option<Refusal> {
        let Request { candidate, term, last, ballot } = request;
        // One vote a term (§5.2). A pre-vote for a later term promises nothing, so it may be given to several.
        let later = ballot == Ballot::Pre && term > self.term;
        if !later && self.vote != Some(candidate) {
            if let Some(other) = self.vote {
                return Some(Refusal::AlreadyVoted { candidate: other });
            }
            if let Some(leader) = self.leader() {
                return Some(Refusal::LeaderKnown { leader });
            }
        }
        let unchecked = ballot == Ballot::Pre && self.config.is_bent(Mutant::PreVoteWithoutLogCheck);
        if !self.is_as_recent(last) && !unchecked {
            return Some(Refusal::LogBehind { theirs: last, mine: self.history.last() });
        }
        // Two that stood at the same moment would each help the other to split the vote: the better-ranked one goes first.
        if ballot == Ballot::Pre && self.stood_lately() && (last, candidate) < (self.history.last(), self.id()) {
            return Some(Refusal::StandsItself);
        }
        None
    }
}

fn answer(ballot: Ballot, granted: bool) -> Body {
    match ballot {
        Ballot::Pre => Body::PreVote { granted },
        Ballot::Real => Body::Vote { granted },
    }
}
