//! After the chaos: a connected core of at least a quorum is healed, every other fault stays as it is for good, and the cluster has to
//! find itself: a leader within ten election timeouts, an answer to everything asked, agreement, and no further leader change.
//!
//! Members outside the core stay down, or stand still, or hear without being heard, or are heard without hearing. So a member that
//! only half takes part must not disturb those who do: this is where plain Raft fails.

use crate::invariant::Invariant;
use crate::machine::Face;
use crate::member::Fate;
use crate::subject::Subject;
use crate::topology::shuffle;
use crate::workload::Call;
use crate::world::{Occasion, Phase, World};
use consensus::{Consensus, Position, Role};
use std::time::Duration;

/// So often the last calls are repeated if leadership changed hands for a good reason.
const CALLS_MAX: usize = 4;

/// How a member outside the core takes part from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outside {
    /// Nothing passes in either direction.
    Apart,
    /// It hears the core, which does not hear it.
    Hears,
    /// It is heard, but hears nothing.
    Speaks,
    /// Its process is gone for good.
    Down,
    /// Nothing passes until the core has found itself; then it comes back, and may not disturb.
    Returns,
    /// It takes part fully: it is of the core.
    Full,
}

impl<P: Subject> World<P> {
    /// Heals a core and waits until it has found itself. False if an invariant was violated.
    pub(crate) fn prove_liveness(&mut self) -> bool {
        let timeout = P::election_timeout(&self.plan.config);
        let core = self.choose_core();
        let outside = self.draw_outside(&core);
        self.heal(&core, &outside);
        self.quiet = P::calm_needs_quiet(&self.plan.config);
        // Ten election timeouts to elect a leader, and one more in which the last of the core is started.
        let (end, rest) = if P::SESSIONS { (6, 5) } else { (11, 0) };
        if !self.run_until(self.now + timeout * end) {
            return false;
        }
        // A learner that needs a snapshot may never catch up with a leader that takes new ones and cuts its log all the time.
        if rest > 0 && self.agreed_leader(&core).is_none() {
            self.quiet = true;
        }
        if rest > 0 && !self.run_until(self.now + timeout * rest) {
            return false;
        }
        let Some(leader) = self.agreed_leader(&core) else {
            let roles: Vec<String> = core.iter().map(|&member| self.describe(member)).collect();
            self.violate(
                Invariant::Liveness,
                format!("ten election timeouts after all was healed the core has no leader: {}", roles.join("; ")),
            );
            return false;
        };
        self.quiet = true;
        let (changes, excused) = (self.ghost.borrow().leader_changes, P::excused_changes(&self.ghost.borrow()));
        self.let_return(&outside);
        // Whatever was asked before has been answered or refused when the requests' timeout is over.
        let end = self.now + self.plan.replica.request_timeout + timeout;
        if !self.run_until(end) {
            return false;
        }
        P::company_in_calm(self, &core);
        if self.violation().is_some() {
            return false;
        }
        let mut last = Vec::new();
        for _ in 0..CALLS_MAX {
            let excused = P::excused_changes(&self.ghost.borrow());
            last = self.last_calls(&core);
            let end = self.now + timeout * 2;
            if !self.run_until(end) {
                return false;
            }
            if P::excused_changes(&self.ghost.borrow()) == excused {
                break;
            }
        }
        if P::excused_changes(&self.ghost.borrow()) == excused {
            self.check_calm(&core, leader, changes);
        }
        self.check_answers(&core, &last);
        self.check_agreement(&core);
        self.violation().is_none()
    }

    fn choose_core(&mut self) -> Vec<usize> {
        (0..self.members.len()).for_each(|member| self.note_mended(member));
        let voters = self.members.len() - self.plan.observers;
        let mut members: Vec<usize> = (0..voters).filter(|&member| self.members[member].is_sound()).collect();
        shuffle(&mut members, &mut self.chance);
        let majority = voters / 2 + 1;
        assert!(members.len() >= majority, "more than a minority was wiped or damaged");
        // A leader that is left outside is the hardest to get rid of.
        if let Some(leader) = self.leader()
            && self.chance.one_in(1, 2)
        {
            members.sort_by_key(|&member| member == leader);
        }
        let count = majority + self.chance.below((members.len() - majority) as u64 + 1) as usize;
        members.truncate(count);
        for observer in voters..self.members.len() {
            if self.members[observer].is_sound() && self.chance.one_in(2, 3) {
                members.push(observer);
            }
        }
        members.sort_unstable();
        members
    }

    fn draw_outside(&mut self, core: &[usize]) -> Vec<Outside> {
        let draw = |world: &mut World<P>, member: usize| {
            if core.contains(&member) {
                return Outside::Full;
            }
            match world.chance.below(6) {
                0 => Outside::Apart,
                1 => Outside::Hears,
                2 => Outside::Speaks,
                3 => Outside::Down,
                _ if world.may_return(member, core) => Outside::Returns,
                _ => Outside::Speaks,
            }
        };
        (0..self.members.len()).map(|member| draw(self, member)).collect()
    }

    /// A member that is in a higher term than all of the core disturbs once when it returns, and rightly so.
    fn may_return(&self, member: usize, core: &[usize]) -> bool {
        let ghost = self.ghost.borrow();
        let core_term = core.iter().map(|&member| ghost.members[member].term).max().unwrap_or(0);
        let it = &self.members[member];
        it.is_sound() && it.process.is_some() && !it.paused && ghost.members[member].term <= core_term
    }

    fn let_return(&mut self, outside: &[Outside]) {
        let fair = self.plan.fair;
        for member in (0..outside.len()).filter(|&member| outside[member] == Outside::Returns) {
            self.trace.note(self.now, 21, || format!("** m{} returns", member + 1));
            for core in (0..outside.len()).filter(|&core| outside[core] == Outside::Full) {
                self.network.heal(member, core, fair);
                self.network.heal(core, member, fair);
            }
        }
    }

    fn heal(&mut self, core: &[usize], outside: &[Outside]) {
        self.phase = Phase::Calm { core: core.to_vec() };
        let names: Vec<String> = core.iter().map(|member| format!("m{}", member + 1)).collect();
        self.trace.note(self.now, 18, || format!("** the core is {}; {outside:?}", names.join(", ")));
        for from in 0..self.members.len() {
            for to in (0..self.members.len()).filter(|&to| to != from) {
                self.settle_path(from, to, outside[from], outside[to]);
            }
        }
        for (member, &how) in outside.iter().enumerate() {
            match how {
                Outside::Full => self.heal_member(member),
                Outside::Down => {
                    self.members[member].fate = Fate::Gone;
                    if self.members[member].process.is_some() {
                        self.crash(member, true);
                    }
                }
                Outside::Apart | Outside::Hears | Outside::Speaks | Outside::Returns => self.members[member].crash_loop = 0,
            }
        }
    }

    fn settle_path(&mut self, from: usize, to: usize, sender: Outside, receiver: Outside) {
        let fair = self.plan.fair;
        let passes =
            matches!((sender, receiver), (Outside::Full | Outside::Speaks, Outside::Full) | (Outside::Full, Outside::Hears));
        self.network.heal(from, to, fair);
        if !passes {
            self.cut(&vec![(from, to)]);
        }
    }

    fn heal_member(&mut self, member: usize) {
        let sync = self.plan.sync;
        let it = &mut self.members[member];
        it.crash_loop = 0;
        it.interrupt_recovery = false;
        it.stuck = Duration::ZERO;
        it.sync = sync;
        it.disk.calm();
        self.mend_clock(member);
        if self.members[member].paused {
            self.resume(member);
        }
        if self.members[member].process.is_none() {
            let after = self.chance.between(Duration::ZERO, Duration::from_millis(500));
            self.after(after, Occasion::Start { member });
        }
    }

    /// The leader whom all of the core follow.
    fn agreed_leader(&self, core: &[usize]) -> Option<usize> {
        let ghost = self.ghost.borrow();
        let leader = core.iter().copied().find(|&member| ghost.members[member].alive && ghost.members[member].leads())?;
        let follow = |&member: &usize| {
            let seen = &ghost.members[member];
            let follows = match seen.role {
                Role::Leader => member == leader,
                Role::Follower { leader: followed } | Role::Learner { leader: followed } => {
                    followed == Some(ghost.members[leader].id)
                }
                _ => false,
            };
            seen.alive && follows && seen.term == ghost.members[leader].term
        };
        let serves = |&member: &usize| {
            self.members[member].process.as_ref().is_some_and(|process| process.replica.consensus().core().serving())
        };
        core.iter().all(|member| follow(member) && serves(member)).then_some(leader)
    }

    fn describe(&self, member: usize) -> String {
        let ghost = self.ghost.borrow();
        let seen = &ghost.members[member];
        let state = if seen.alive { "alive" } else { "down" };
        format!("m{} is {state}, {:?} in {} {} with a log up to {}", member + 1, seen.role, P::EPOCH, seen.term, seen.last())
    }

    /// One write and one read for each of the core.
    fn last_calls(&mut self, core: &[usize]) -> Vec<u64> {
        let mut operations = Vec::new();
        for &member in core {
            let calls = self.workload.probe(self.now);
            operations.extend(calls.iter().map(Call::op));
            self.call(member, calls);
        }
        operations
    }

    fn check_calm(&mut self, core: &[usize], leader: usize, changes: u64) {
        let now = self.ghost.borrow().leader_changes;
        if now != changes || self.agreed_leader(core) != Some(leader) {
            let roles: Vec<String> = core.iter().map(|&member| self.describe(member)).collect();
            let what = format!(
                "m{} led a healed core, and the leader changed {} times after that: {}",
                leader + 1,
                now - changes,
                roles.join("; ")
            );
            self.violate(Invariant::Liveness, what);
        }
    }

    fn check_answers(&mut self, core: &[usize], last: &[u64]) {
        for &op in last {
            if !self.workload.succeeded(op) {
                let what = format!("a healed core did not serve: {}", self.workload.describe(op));
                self.violate(Invariant::Liveness, what);
            }
        }
        for &member in core {
            let pending = self.members[member].process.as_ref().map_or(0, |process| process.replica.status().pending);
            if pending > 0 {
                self.violate(Invariant::Liveness, format!("member {} still owes {pending} answers", member + 1));
            }
        }
    }

    fn check_agreement(&mut self, core: &[usize]) {
        let states: Vec<(Position, Option<u64>)> = core
            .iter()
            .filter_map(|&member| self.members[member].process.as_ref())
            .map(|process| (consensus::StateMachine::applied(process.replica.machine()), process.replica.machine().digest()))
            .collect();
        if states.len() < core.len() || states.windows(2).any(|pair| pair[0] != pair[1]) {
            self.violate(Invariant::Liveness, format!("the members of a healed core differ: (applied, digest) {states:?}"));
        }
    }
}
