//! How Raft's members are set up.

use crate::fault::Fault;
use crate::options::{Mechanism, SimOptions};
use consensus::{Chance, NodeId};
use std::time::Duration;

/// Faults that clocks make. Lease reads trust clocks, so seeds with lease reads do without.
const CLOCK_FAULTS: [Fault; 3] = [Fault::ClockDrift, Fault::ClockJump, Fault::ClockFreeze];

pub(super) fn draw(options: &SimOptions, chance: &mut Chance) -> raft::Config {
    let lease_reads = options.is_on(Mechanism::LeaseReads) && chance.one_in(1, 4);
    let mut config = raft::Config::new(NodeId(1));
    config.pre_vote = options.is_on(Mechanism::PreVote);
    config.check_quorum = options.is_on(Mechanism::CheckQuorum);
    config.vote_lease = options.is_on(Mechanism::Lease);
    config.early_election = options.is_on(Mechanism::EarlyElection);
    config.lease_reads = lease_reads;
    config.inflight_messages_max = [512, 16, 2][chance.below(3) as usize];
    config.inflight_bytes_max = [8 << 20, 8 << 10][chance.below(2) as usize];
    config.cache_bytes_max = [32 << 20, 16 << 10, 1 << 10][chance.below(3) as usize];
    // Short, as everything else in a simulated life: snapshots are to be sent again and again.
    config.catching_up = Duration::from_secs(1);
    config.uncommitted_bytes_max = [64 << 20, 32 << 10][chance.below(2) as usize];
    config.apply_bytes_max = [1 << 20, 2 << 10][chance.below(2) as usize];
    #[cfg(feature = "mutants")]
    if let Some(crate::options::Mutant::Raft(mutant)) = options.mutant {
        config.mutant = Some(mutant);
    }
    config
}

pub(super) fn suits(config: &raft::Config, fault: Fault) -> bool {
    !(config.lease_reads && CLOCK_FAULTS.contains(&fault))
}
