//! Many seeds, on all cores that we may use.

use crate::fault::{Fault, Tally};
use crate::invariant::Violation;
use crate::options::SimOptions;
use crate::run::{Outcome, run};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What many seeds came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Seeds that were run.
    pub seeds: u64,
    /// Steps of the protocol.
    pub steps: u64,
    /// Time that the cores spent on the runs, all threads added up.
    pub busy: Duration,
    /// Faults by class.
    pub faults: Tally,
    /// How many seeds met each class at least once, in the order of [`Fault::ALL`].
    pub seeds_with: Vec<u64>,
    /// The number of faults in each seed, sorted.
    pub faults_per_seed: Vec<u64>,
    /// How often a leader began to lead.
    pub leader_changes: u64,
    /// Operations that were checked.
    pub operations: u64,
    /// How often what was looked at, beyond the protocol.
    pub checks: BTreeMap<&'static str, u64>,
    /// What was wrong, by seed.
    pub violations: Vec<Violation>,
}

impl Summary {
    fn add(&mut self, outcome: &Outcome, took: Duration) {
        self.seeds += 1;
        self.steps += outcome.steps;
        self.busy += took;
        self.faults.add(&outcome.faults);
        self.seeds_with.resize(Fault::ALL.len(), 0);
        for (with, &fault) in self.seeds_with.iter_mut().zip(Fault::ALL) {
            *with += u64::from(outcome.faults.of(fault) > 0);
        }
        self.faults_per_seed.push(outcome.faults.total());
        self.leader_changes += outcome.leader_changes;
        self.operations += outcome.operations;
        for (what, count) in &outcome.checks {
            *self.checks.entry(what).or_default() += count;
        }
        self.violations.extend(outcome.violation.clone());
    }

    /// Steps a second and core.
    pub fn steps_per_second(&self) -> u64 {
        (self.steps as f64 / self.busy.as_secs_f64().max(1e-9)) as u64
    }

    /// The number of faults in the median seed.
    pub fn median_faults(&self) -> u64 {
        self.faults_per_seed.get(self.faults_per_seed.len() / 2).copied().unwrap_or(0)
    }
}

/// The closing line.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { seeds, steps, faults, leader_changes, operations, violations, .. } = self;
        write!(
            f,
            "{seeds} seeds, {steps} steps, {} steps/s per core, {} violations, {leader_changes} leader changes, \
             {operations} operations checked, faults (median of a seed {}): {faults}",
            self.steps_per_second(),
            violations.len(),
            self.median_faults(),
        )?;
        if !self.checks.is_empty() {
            let checks: Vec<String> = self.checks.iter().map(|(what, count)| format!("{what} {count}")).collect();
            write!(f, "; looked at: {}", checks.join(", "))?;
        }
        Ok(())
    }
}

/// The time that this thread has spent on a core: what other programs take does not count. Where the system does not tell, the time
/// that has passed.
struct Stopwatch {
    started: std::time::Instant,
    busy: Option<Duration>,
}

impl Stopwatch {
    fn start() -> Stopwatch {
        Stopwatch { started: std::time::Instant::now(), busy: busy() }
    }

    fn elapsed(&self) -> Duration {
        match (self.busy, busy()) {
            (Some(before), Some(now)) => now.saturating_sub(before),
            _ => self.started.elapsed(),
        }
    }
}

/// How long this thread has run, from Linux's scheduler.
fn busy() -> Option<Duration> {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(schedstat.split(' ').next()?.parse().ok()?))
}

/// Runs every seed of a range, `threads` at a time. `progress` hears of each as it ends, in any order; if it says `false`, no
/// further seeds are begun.
pub fn search(
    seeds: RangeInclusive<u64>,
    options: &SimOptions,
    threads: usize,
    mut progress: impl FnMut(&Outcome) -> bool,
) -> Summary {
    let next = AtomicU64::new(*seeds.start());
    let mut summary = Summary::default();
    thread::scope(|scope| {
        let (sender, outcomes) = mpsc::channel();
        for _ in 0..threads.max(1) {
            let (sender, next) = (sender.clone(), &next);
            let end = *seeds.end();
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > end {
                        return;
                    }
                    let begun = Stopwatch::start();
                    let outcome = run(&SimOptions { seed, ..options.clone() });
                    if sender.send((outcome, begun.elapsed())).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (outcome, took) in outcomes {
            summary.add(&outcome, took);
            if !progress(&outcome) {
                next.store(u64::MAX / 2, Ordering::Relaxed);
            }
        }
    });
    summary.violations.sort_by_key(|violation| violation.seed);
    summary.faults_per_seed.sort_unstable();
    summary
}
