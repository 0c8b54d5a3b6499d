//! How a Raft member is set up.

use alloc::vec::Vec;
use consensus::{Configuration, NodeId, Position, Promise};
use core::time::Duration;

/// Settings. Those that are marked cluster-wide must be the same on every member.
#[derive(Clone, Debug)]
pub struct Config {
    /// This member.
    pub id: NodeId,
    /// How often a leader says that it leads. etcd: 100 ms.
    pub heartbeat_interval: Duration,
    /// A follower that has heard nothing for a random time in [1×, 2×) this stands for election (§5.2). etcd: 1000 ms.
    pub election_timeout: Duration,
    /// Wait exactly this long instead of a random time. `None` wherever a cluster is meant to work: members that wait equally long
    /// split the vote again and again. Scripts set it to say whose timer ends first.
    pub election_timer: Option<Duration>,
    /// Ask before standing (thesis §9.6). On in etcd.
    pub pre_vote: bool,
    /// A leader that has not heard from a quorum for an election timeout steps down. On in etcd.
    pub check_quorum: bool,
    /// A voter that heard from a leader within the election timeout refuses votes and pre-votes (thesis §4.2.3). On in etcd, where
    /// it comes with Check Quorum.
    pub vote_lease: bool,
    /// Stand at once when the leader's link is refused. Ignored while `lease_reads` is on.
    pub early_election: bool,
    /// Cluster-wide: answer reads from the lease, without a round to a quorum. Trusts clocks to drift by no more than
    /// `clock_drift_per_mille` says.
    pub lease_reads: bool,
    /// Cluster-wide: by how much of itself a clock may run faster or slower, in thousandths. Shortens the read lease.
    pub clock_drift_per_mille: u32,
    /// This start finds a disk that lost or damaged what was once synced: the member may have voted and confirmed entries without
    /// remembering it. It is no part of any quorum until it has persisted a commit index that a leader confirmed after this start.
    pub abstains: bool,
    /// The most bytes of entries in one message. etcd: 1 MiB.
    pub message_bytes_max: usize,
    /// The most appends to one follower without an answer. etcd: 512.
    pub inflight_messages_max: usize,
    /// The most bytes of entries to one follower without an answer.
    pub inflight_bytes_max: usize,
    /// The most bytes of entries kept in memory for followers; older ones are fetched from the disk. As much as may be on its way to one
    /// of them: who keeps up is served from memory. (etcd keeps 5000 entries and more, however long.)
    pub cache_bytes_max: usize,
    /// So long after a snapshot was delivered the log behind it stays, for its receiver to catch up. etcd: 30 s.
    pub catching_up: Duration,
    /// The most bytes of proposals not yet committed; above, `next()` is `None`.
    pub uncommitted_bytes_max: usize,
    /// The most bytes of entries being applied at once.
    pub apply_bytes_max: usize,
    /// The mistake to make, for the proof of the prover.
    #[cfg(feature = "mutants")]
    pub mutant: Option<crate::Mutant>,
}

impl Config {
    /// etcd's settings, for member `id`.
    pub fn new(id: NodeId) -> Config {
        Config {
            id,
            heartbeat_interval: Duration::from_millis(100),
            election_timeout: Duration::from_millis(1000),
            election_timer: None,
            pre_vote: true,
            check_quorum: true,
            vote_lease: true,
            early_election: true,
            lease_reads: false,
            clock_drift_per_mille: 10,
            abstains: false,
            message_bytes_max: 1 << 20,
            inflight_messages_max: 512,
            inflight_bytes_max: 8 << 20,
            cache_bytes_max: 8 << 20,
            catching_up: Duration::from_secs(30),
            uncommitted_bytes_max: 64 << 20,
            apply_bytes_max: 1 << 20,
            #[cfg(feature = "mutants")]
            mutant: None,
        }
    }
}

/// What a member finds on its disk when it starts: everything in it is synced.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovered {
    /// The last promise.
    pub promise: Promise,
    /// What the log begins after: [`Position::ZERO`], or where it was cut.
    pub base: Position,
    /// The terms of the entries after `base`: (first index of the run, its term), ascending in both.
    pub terms: Vec<(u64, u64)>,
    /// Index of the last entry; `base.index` if there is none.
    pub last: u64,
    /// What the state machine holds: at least `base`.
    pub applied: Position,
    /// The configuration in force at `applied`.
    pub configuration: Configuration,
}
