//! What to run.

use std::fmt;
use std::str::FromStr;

/// Which cluster to simulate, and how.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// The protocol under test.
    pub protocol: Protocol,
    /// From which everything follows.
    pub seed: u64,
    /// How many members whose votes count. At least one; with the observers, at most 64.
    pub members: usize,
    /// How many more are never counted.
    pub observers: usize,
    /// Simulated seconds of chaos; the liveness phase comes on top.
    pub seconds: u64,
    /// Mechanisms to switch off, to see the harm.
    pub off: Vec<Mechanism>,
    /// Whether the story is wanted in words.
    pub trace: bool,
    /// The known bug to put back.
    #[cfg(feature = "mutants")]
    pub mutant: Option<Mutant>,
}

impl SimOptions {
    /// Five members, sixty seconds, everything on.
    pub fn new(seed: u64) -> SimOptions {
        SimOptions {
            protocol: Protocol::Raft,
            seed,
            members: 5,
            observers: 0,
            seconds: 60,
            off: Vec::new(),
            trace: false,
            #[cfg(feature = "mutants")]
            mutant: None,
        }
    }

    pub(crate) fn is_on(&self, mechanism: Mechanism) -> bool {
        !self.off.contains(&mechanism)
    }
}

/// A known bug that an invariant must find.
#[cfg(feature = "mutants")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutant {
    /// One of Raft's rules is bent.
    Raft(raft::Mutant),
    /// One of Zab's.
    Zab(zab::Mutant),
    /// A forwarded proposal is sent twice.
    ForwardTwice,
    /// What a leader's clocks had brought about is forwarded to the next leader.
    ForwardDue,
    /// What a compaction made unreadable is swept up before watchers have heard of it.
    SweepBeforeWatches,
    /// Leases' clocks begin whole with each leader.
    LeasesBeginWhole,
    /// The data file says to hold more than it does.
    AppliedAheadOfData,
}

/// A protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// Raft.
    Raft,
    /// The same below etcd's keyspace, leases and watches.
    Etcd,
    /// ZooKeeper's Fast Leader Election and Zab.
    Zab,
    /// The same below ZooKeeper's tree and sessions.
    ZooKeeper,
}

/// A mechanism that can be switched off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mechanism {
    /// Ask before standing.
    PreVote,
    /// A leader that hears no quorum steps down.
    CheckQuorum,
    /// Voters that hear a leader refuse others.
    Lease,
    /// Stand at once when the leader's link is refused.
    EarlyElection,
    /// Answer reads from the lease, in some of the seeds.
    LeaseReads,
    /// Zab: whoever has heard from everybody who could vote better believes the winner at once.
    EarlyFinalize,
}

impl Mechanism {
    const ALL: [(Mechanism, &str); 6] = [
        (Mechanism::PreVote, "prevote"),
        (Mechanism::CheckQuorum, "check-quorum"),
        (Mechanism::Lease, "lease"),
        (Mechanism::EarlyElection, "early-election"),
        (Mechanism::LeaseReads, "lease-reads"),
        (Mechanism::EarlyFinalize, "early-finalize"),
    ];

    /// The names by which mechanisms are known.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Mechanism::ALL.iter().map(|&(_, name)| name)
    }
}

/// A name that nothing has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unknown {
    /// What was asked for.
    pub name: String,
    /// What there is.
    pub known: Vec<&'static str>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no `{}`; there are: {}", self.name, self.known.join(", "))
    }
}

impl std::error::Error for Unknown {}

impl FromStr for Mechanism {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Mechanism, Unknown> {
        let found = Mechanism::ALL.iter().find(|(_, known)| *known == name);
        found.map(|&(mechanism, _)| mechanism).ok_or_else(|| Unknown { name: name.into(), known: Mechanism::names().collect() })
    }
}

impl FromStr for Protocol {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Protocol, Unknown> {
        match name {
            "raft" => Ok(Protocol::Raft),
            "etcd" => Ok(Protocol::Etcd),
            "zab" => Ok(Protocol::Zab),
            "zookeeper" => Ok(Protocol::ZooKeeper),
            _ => Err(Unknown { name: name.into(), known: vec!["raft", "etcd", "zab", "zookeeper"] }),
        }
    }
}
