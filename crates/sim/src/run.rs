//! One seed from its beginning to its end.

use crate::fault::Tally;
use crate::invariant::{Invariant, Violation};
use crate::on_raft::{self, Etcd, Raft};
use crate::on_zab::{Registers, Zab, ZooKeeper};
use crate::options::{Protocol, SimOptions};
use crate::subject::Subject;
use crate::world::World;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How a run went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// What was wrong, if anything.
    pub violation: Option<Violation>,
    /// A hash over everything that happened: the same for the same seed, always.
    pub hash: u64,
    /// Steps of the protocol, on all members together.
    pub steps: u64,
    /// Faults by class.
    pub faults: Tally,
    /// How often a leader began to lead.
    pub leader_changes: u64,
    /// Operations whose place in one history was checked.
    pub operations: u64,
    /// How often what was looked at, beyond the protocol.
    pub checks: BTreeMap<&'static str, u64>,
    /// The story in words, if it was wanted.
    pub trace: String,
}

/// Runs one seed: chaos, then calm, then the check of what clients were told.
pub fn run(options: &SimOptions) -> Outcome {
    match options.protocol {
        Protocol::Raft => play::<Raft<on_raft::Registers>>(options),
        Protocol::Etcd => play::<Raft<Etcd>>(options),
        Protocol::Zab => play::<Zab<Registers>>(options),
        Protocol::ZooKeeper => play::<Zab<ZooKeeper>>(options),
    }
}

fn play<P: Subject>(options: &SimOptions) -> Outcome {
    let mut world = World::<P>::new(options);
    let mut operations = 0;
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let until = world.plan.chaos_until;
        if world.run_until(until) && world.prove_liveness() {
            let company = P::done_by_company(&world);
            operations = world.workload.check(&mut world.ghost.borrow_mut(), company);
        }
    }));
    if let Err(panic) = ended {
        // Assertions of the members are invariants, too.
        let what =
            panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|what| (*what).to_owned()));
        world.violate(Invariant::NoCrash, format!("a member crashed: {}", what.unwrap_or_default()));
    }
    let checks = P::tally(&world);
    let ghost = world.ghost.borrow();
    let (now, violation) = (ghost.now, ghost.violation.clone());
    if let Some(violation) = &violation {
        world.trace.note(now, 19, || violation.to_string());
    }
    Outcome {
        seed: options.seed,
        violation,
        hash: world.trace.hash(),
        steps: ghost.steps,
        faults: world.faults.clone(),
        leader_changes: ghost.leader_changes,
        operations,
        checks,
        trace: world.trace.take(),
    }
}
