//! From a seed to a scenario: which faults, how often, and how the members are set up.

use crate::fault::Fault;
use crate::machine::Face;
use crate::network::Weather;
use crate::options::SimOptions;
use crate::subject::Subject;
use crate::world::id;
use consensus::{Chance, Configuration, Instant};
use std::time::Duration;
use storage::LogOptions;

/// A scenario.
#[derive(Clone, Debug)]
pub(crate) struct Plan<P: Subject> {
    /// All of them, observers included.
    pub(crate) members: usize,
    /// So many of them, the last, are never counted.
    pub(crate) observers: usize,
    /// When the chaos ends.
    pub(crate) chaos_until: Instant,
    /// Classes of faults that this seed has switched on (swarm testing: a random subset each time finds more than all at once).
    pub(crate) enabled: Vec<Fault>,
    /// The time between two faults, at most.
    pub(crate) gap: Duration,
    /// Weather when nothing is wrong.
    pub(crate) fair: Weather,
    /// How long a sync takes.
    pub(crate) sync: (Duration, Duration),
    pub(crate) config: P::Config,
    pub(crate) replica: replica::Options,
    pub(crate) log: LogOptions,
    pub(crate) snapshots_kept: usize,
    pub(crate) load: Load,
    /// By how many parts in a thousand clocks may drift without a fault.
    pub(crate) drift: u64,
    /// The known bug to put back.
    #[cfg(feature = "mutants")]
    pub(crate) mutant: Option<crate::options::Mutant>,
}

/// What the clients do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) clients: usize,
    /// The most operations that one client has under way at once.
    pub(crate) wave: u64,
    /// The time between an answer and the next call, at most.
    pub(crate) think: Duration,
    pub(crate) keys: u64,
    /// Whether registers can be compared and swapped.
    pub(crate) swaps: bool,
    /// In a hundred: reads.
    pub(crate) reads: u64,
    /// In a hundred of those: reads of what one member holds.
    pub(crate) looks: u64,
    /// The most bytes of ballast in a write.
    pub(crate) ballast: u64,
    /// A client gives up after this long.
    pub(crate) patience: Duration,
}

/// Faults that are consequences of others and cannot be switched on.
const CONSEQUENCES: [Fault; 2] = [Fault::LostWrites, Fault::LostName];

impl<P: Subject> Plan<P> {
    pub(crate) fn new(options: &SimOptions, chance: &mut Chance) -> Plan<P> {
        let mut config = P::draw_config(options, chance);
        let bursts = chance.below(3);
        let ballast = [8, 64, 64, 1_500][chance.below(4) as usize];
        P::settle_config(&mut config, chance);
        Plan {
            members: options.members + options.observers,
            observers: options.observers,
            chaos_until: Instant::ZERO + Duration::from_secs(options.seconds),
            enabled: swarm::<P>(&config, chance),
            gap: Duration::from_millis([150, 300, 1_000, 3_000][chance.below(4) as usize]),
            fair: fair_weather(chance),
            sync: [(50, 200), (500, 3_000), (5_000, 20_000)]
                .map(|(low, high)| (Duration::from_micros(low), Duration::from_micros(high)))[chance.below(3) as usize],
            replica: {
                let mut settings = replica_options(options, chance);
                P::settle_replica(&mut settings);
                settings
            },
            log: LogOptions {
                segment_bytes: [16 << 10, 64 << 10, 256 << 10][chance.below(3) as usize],
                step_bytes: [4 << 10, 16 << 10][chance.below(2) as usize],
                record_bytes: [1 << 10, 4 << 10, 64 << 10][chance.below(3) as usize],
            },
            snapshots_kept: 1 + chance.below(2) as usize,
            load: Load {
                clients: 2 + chance.below(9) as usize,
                // In some seeds clients are silent for seconds and then ask for much at once.
                wave: 1 + chance.below([6, 6, 100][bursts as usize]),
                think: Duration::from_millis([5, 40, 200, 3_000][if bursts == 2 { 3 } else { chance.below(3) as usize }]),
                keys: 1 + chance.below(30),
                swaps: <P::Machine as Face>::SWAPS,
                reads: [10, 50, 80][chance.below(3) as usize],
                looks: if P::SESSIONS { 50 } else { 0 },
                ballast,
                patience: Duration::from_millis(500 + chance.below(9_500)),
            },
            drift: P::drift(&config),
            config,
            #[cfg(feature = "mutants")]
            mutant: options.mutant,
        }
    }

    pub(crate) fn is_enabled(&self, fault: Fault) -> bool {
        self.enabled.contains(&fault)
    }

    /// Everybody: those who count, and those who do not.
    pub(crate) fn configuration(&self) -> Configuration {
        let voters = self.members - self.observers;
        Configuration { learners: (voters..self.members).map(id).collect(), ..Configuration::of((0..voters).map(id)) }
    }
}

/// Each class is on in half of the seeds; but a seed with too few is no test.
fn swarm<P: Subject>(config: &P::Config, chance: &mut Chance) -> Vec<Fault> {
    let usable = |fault: &&Fault| !CONSEQUENCES.contains(fault) && P::suits(config, **fault);
    loop {
        let drawn: Vec<Fault> = Fault::ALL.iter().filter(usable).copied().filter(|_| chance.one_in(1, 2)).collect();
        if drawn.len() >= 6 {
            return drawn;
        }
    }
}

fn replica_options(options: &SimOptions, chance: &mut Chance) -> replica::Options {
    let _ = options;
    replica::Options {
        waiting_bytes_max: [64 << 20, 16 << 10][chance.below(2) as usize],
        batch_bytes_max: [1 << 20, 1 << 10][chance.below(2) as usize],
        snapshot_entries: [50, 200, 1_000][chance.below(3) as usize],
        snapshot_chunk_bytes: [64, 1 << 10][chance.below(2) as usize],
        entries_kept: [0, 10, 200][chance.below(3) as usize],
        #[cfg(feature = "mutants")]
        mutant: match options.mutant {
            Some(crate::options::Mutant::ForwardTwice) => Some(replica::Mutant::ForwardTwice),
            Some(crate::options::Mutant::ForwardDue) => Some(replica::Mutant::ForwardDue),
            _ => None,
        },
        ..replica::Options::default()
    }
}

fn fair_weather(chance: &mut Chance) -> Weather {
    let (low, high) = [(50, 150), (100, 1_000), (1_000, 20_000)][chance.below(3) as usize];
    Weather::fair(Duration::from_micros(low), Duration::from_micros(high))
}
