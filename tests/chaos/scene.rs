//! What all clients share: the clock, the addresses, what they have recorded, and how far the test is.

use crate::chaos::leased::Leased;
use crate::chaos::model::Done;
use crate::chaos::watched::Watched;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tonic::transport::{Channel, Endpoint};

/// Shared by all tasks of all clients.
pub struct Scene {
    /// Where clients dial, by member.
    pub endpoints: Vec<String>,
    pub seed: u64,
    begin: Instant,
    /// How many operations are to be called, and how many have been.
    pub operations: u64,
    pub called: AtomicU64,
    /// The newest revision that anybody was told of.
    pub head: AtomicI64,
    /// Up to where the watcher of everything has seen it.
    pub audited: AtomicI64,
    /// Numbers of values that were written.
    values: AtomicU64,
    /// No new work: what is under way comes to its end.
    pub over: AtomicBool,
    /// Up to where watchers must have heard everything before they may stop; 0 until that is known.
    pub last: AtomicI64,
    pub compactions: AtomicU32,
    pub record: Mutex<Record>,
}

/// What clients leave behind.
#[derive(Default)]
pub struct Record {
    pub done: Vec<Done>,
    pub watched: Vec<Watched>,
    pub leased: Vec<Leased>,
    /// Findings that need no history.
    pub wrong: Vec<String>,
    /// When which compactions were asked for.
    pub compacted: Vec<(u64, i64)>,
    /// Renewals that were answered, of all leases.
    pub renewals: u64,
}

impl Scene {
    pub fn new(endpoints: Vec<String>, seed: u64, operations: u64) -> Scene {
        Scene {
            endpoints,
            seed,
            begin: Instant::now(),
            operations,
            called: AtomicU64::new(0),
            head: AtomicI64::new(0),
            audited: AtomicI64::new(0),
            values: AtomicU64::new(0),
            over: AtomicBool::new(false),
            last: AtomicI64::new(0),
            compactions: AtomicU32::new(0),
            record: Mutex::default(),
        }
    }

    /// Nanoseconds since the beginning.
    pub fn now(&self) -> u64 {
        self.begin.elapsed().as_nanos() as u64
    }

    pub fn value(&self) -> u64 {
        self.values.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    pub fn reached(&self, revision: i64) {
        self.head.fetch_max(revision, Ordering::Relaxed);
    }

    pub fn wrong(&self, what: String) {
        self.record().wrong.push(what);
    }

    pub fn record(&self) -> std::sync::MutexGuard<'_, Record> {
        self.record.lock().expect("no client panics while it records")
    }

    /// A connection to a member that comes and goes with it.
    pub fn channel(&self, member: usize) -> Channel {
        let endpoint = Endpoint::from_shared(self.endpoints[member % self.endpoints.len()].clone()).expect("a good address");
        endpoint.connect_timeout(Duration::from_secs(1)).tcp_nodelay(true).connect_lazy()
    }
}

/// Chance, from a seed (SplitMix64).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64, stream: u64) -> Chance {
        Chance(seed ^ stream.wrapping_mul(0xa076_1d64_78bd_642f))
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % bound
    }

    pub fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}
