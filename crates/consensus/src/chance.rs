//! Seeded chance, as an argument.

use core::time::Duration;

/// A small generator of pseudo-random numbers (SplitMix64, Steele, Lea and Flood 2014).
///
/// Good enough to spread election timeouts and to choose faults; not for secrets.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The generator of `seed`: the same seed gives the same numbers for ever.
    pub const fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// The next 64 random bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`. `bound` must not be zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "nothing is below zero");
        // The high half of a 128-bit product is uniform to within bound / 2^64 (Lemire 2019).
        ((u128::from(self.draw()) * u128::from(bound)) >> 64) as u64
    }

    /// A span in `low..high`; `low` if the range is empty.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let width = high.saturating_sub(low).as_nanos();
        match u64::try_from(width) {
            Ok(0) | Err(_) => low,
            Ok(width) => low + Duration::from_nanos(self.below(width)),
        }
    }

    /// True with a probability of `numerator` in `denominator`.
    pub fn one_in(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// A generator of its own, so that one part's draws do not shift another's.
    pub fn fork(&mut self) -> Chance {
        Chance(self.draw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        // Reference values of SplitMix64 for seed 0.
        let mut chance = Chance::new(0);
        assert_eq!(chance.draw(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(chance.draw(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn between_stays_inside_its_range() {
        let mut chance = Chance::new(7);
        let (low, high) = (Duration::from_millis(150), Duration::from_millis(300));
        for _ in 0..1_000 {
            let drawn = chance.between(low, high);
            assert!(low <= drawn && drawn < high);
        }
        assert_eq!(chance.between(low, low), low);
    }
}
