//! A member's own clock, which need not agree with the world's.

use consensus::Instant;
use std::time::Duration;

/// Parts per million in a whole.
const MILLION: u64 = 1_000_000;

/// Maps the world's time to a member's: skewed, drifting, frozen, but never going back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// The world's time at the last change …
    anchor: Instant,
    /// … and the member's.
    local: Instant,
    /// How many of its microseconds pass in a second of the world's. 0: frozen.
    rate: u64,
}

impl Clock {
    /// A clock that shows `local` at the world's beginning and runs at `rate` parts per million.
    pub(crate) fn new(local: Instant, rate: u64) -> Clock {
        Clock { anchor: Instant::ZERO, local, rate }
    }

    /// What it shows when the world's time is `world`.
    pub(crate) fn read(&self, world: Instant) -> Instant {
        let passed = world.since(self.anchor).as_nanos() as u64;
        self.local + Duration::from_nanos(scale(passed, self.rate, MILLION))
    }

    /// The first moment of the world at which it shows at least `local`. `None` if that never comes at its present rate.
    pub(crate) fn when(&self, local: Instant) -> Option<Instant> {
        if local == Instant::NEVER {
            return None;
        }
        let missing = local.since(self.local).as_nanos() as u64;
        match (missing, self.rate) {
            (0, _) => Some(self.anchor),
            (_, 0) => None,
            (missing, MILLION) => Some(self.anchor + Duration::from_nanos(missing)),
            (missing, rate) => Some(self.anchor + Duration::from_nanos(scale(missing, MILLION, rate) + 1)),
        }
    }

    /// From `world` on it runs at another rate.
    pub(crate) fn set_rate(&mut self, world: Instant, rate: u64) {
        self.local = self.read(world);
        self.anchor = world;
        self.rate = rate;
    }

    /// At `world` it jumps ahead. (A monotonic clock does not jump back.)
    pub(crate) fn jump(&mut self, world: Instant, ahead: Duration) {
        self.set_rate(world, self.rate);
        self.local = self.local + ahead;
    }
}

fn scale(value: u64, numerator: u64, denominator: u64) -> u64 {
    if numerator == denominator {
        return value;
    }
    (u128::from(value) * u128::from(numerator) / u128::from(denominator)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_fast_clock_reaches_a_deadline_early() {
        let clock = Clock::new(at(500), 1_100_000);
        assert_eq!(clock.read(at(1_000)), at(1_600));
        let when = clock.when(at(1_600)).unwrap();
        assert!(clock.read(when) >= at(1_600) && when <= at(1_001));
    }

    #[test]
    fn a_frozen_clock_reaches_nothing_until_it_thaws() {
        let mut clock = Clock::new(at(0), 1_000_000);
        clock.set_rate(at(10), 0);
        assert_eq!(clock.read(at(5_000)), at(10));
        assert_eq!(clock.when(at(11)), None);
        assert_eq!(clock.when(at(10)), Some(at(10)));
        clock.set_rate(at(5_000), 1_000_000);
        assert_eq!(clock.when(at(11)), Some(at(5_001)));
        clock.jump(at(5_000), Duration::from_millis(100));
        assert_eq!(clock.read(at(5_000)), at(110));
    }
}
