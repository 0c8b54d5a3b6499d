//! How the ghost takes in one step of a member.

use crate::ghost::Ghost;
use crate::invariant::Invariant;
use crate::on_raft::cue::{Cue, Said};
use crate::on_raft::{Raft, Stack};
use consensus::{Consensus, Instant, NodeId, Output, Role};
use raft::{Ballot, Body, Decision, Message};

impl<S: Stack> Ghost<Raft<S>> {
    /// A member stepped, at `now` by its own clock.
    pub(super) fn take_in(
        &mut self,
        member: usize,
        now: Instant,
        cue: Cue,
        outputs: &[Output<Message, Decision>],
        raft: &raft::Raft,
    ) {
        self.take_cue(member, now, cue);
        for output in outputs {
            match output {
                Output::Persist(persist) => self.on_persist(member, persist),
                Output::Send { to, message } => self.on_send(member, *to, message),
                Output::ChangeRole { epoch, role } => self.on_role(member, now, *epoch, *role),
                Output::ReadReady { id } if matches!(cue, Cue::Read(asked) if asked == *id) => self.check_lease_read(member),
                Output::InstallSnapshot { snapshot, .. } => self.on_install(member, snapshot.position),
                Output::SendSnapshot { to, message } => self.on_send(member, *to, message),
                Output::Explain(Decision::Voted { candidate, ballot: Ballot::Pre, term }) => {
                    self.check_pre_vote(member, *term, *candidate)
                }
                _ => {}
            }
        }
        self.check_commit(member, raft.committed());
        if self.members[member].damaged {
            self.check_abstention(member, raft.abstains());
        }
        if self.members[member].leads() {
            self.check_quorum_heard(member, now);
            if matches!(cue, Cue::Received { .. }) {
                self.check_progress(member, raft);
            }
        }
    }

    fn take_cue(&mut self, member: usize, now: Instant, cue: Cue) {
        let seen = &mut self.members[member];
        match cue {
            Cue::Received { from, term, said } => {
                if seen.leads() && term == seen.term {
                    seen.own.heard[from] = now;
                }
                match said {
                    Said::LogEnds { pre, last } => seen.own.asked[from][usize::from(pre)] = (term, last),
                    Said::TimeoutNow => seen.own.told_to_stand = term,
                    Said::Other => {}
                }
            }
            Cue::Installed(position) => self.on_installed(member, position),
            // Another process answers for that member now: what was believed of it may be forgotten.
            Cue::Connected { peer, incarnation } if seen.own.lives[peer] != incarnation => {
                seen.own.lives[peer] = incarnation;
                seen.own.matched[peer] = 0;
            }
            Cue::Connected { .. } | Cue::Read(_) | Cue::Other => {}
        }
    }

    fn on_send(&mut self, member: usize, to: NodeId, message: &Message) {
        let Some(to) = self.member_of(to).filter(|&to| to != member) else {
            return self.violate(Invariant::NoCrash, format!("member {} sent to itself or to a stranger ({to})", member + 1));
        };
        let takes_part = matches!(
            message.body,
            Body::Vote { granted: true }
                | Body::PreVote { granted: true }
                | Body::RequestVote { .. }
                | Body::RequestPreVote { .. }
        );
        if takes_part && self.members[member].damaged {
            self.violate(
                Invariant::StrangersAbstain,
                format!("member {} lost what it had synced, and takes part in a vote", member + 1),
            );
        }
        match &message.body {
            Body::Append { previous, entries, .. } => self.check_append_sent(member, message.term, *previous, entries),
            Body::Heartbeat { .. } | Body::InstallSnapshot { .. } => self.check_speaks_as_leader(member, message.term),
            Body::Vote { granted: true } => self.check_vote_synced(member, message.term, to),
            Body::Appended { upto } if *upto > 0 => self.check_append_synced(member, message.term, *upto),
            Body::PreVote { granted: true } => self.count_pre_vote(member, message.term, to),
            Body::RequestVote { transfer, .. } => self.check_standing(member, message.term, *transfer),
            Body::ReadIndex { context } => self.check_context(member, context),
            _ => {}
        }
    }

    fn on_role(&mut self, member: usize, now: Instant, term: u64, role: Role) {
        let seen = &mut self.members[member];
        let before = (seen.term, seen.role);
        (seen.term, seen.role) = (term, role);
        if term < before.0 {
            let what = format!("member {} went back from term {} to {term}", member + 1, before.0);
            self.violate(Invariant::NothingGoesBack, what);
        }
        if role == Role::Leader && before != (term, Role::Leader) {
            self.begin_leading(member, now);
        }
    }
}
