//! Values of which one wants to know the least, the greatest and the mean, and how they are spread.

/// Count, sum, least and greatest (Java: `AvgMinMaxCounter`).
#[derive(Clone, Default, Debug)]
pub(crate) struct Summary {
    count: u64,
    sum: u64,
    least: u64,
    greatest: u64,
}

impl Summary {
    /// One more.
    pub(crate) fn add(&mut self, value: u64) {
        self.least = if self.count == 0 { value } else { self.least.min(value) };
        self.greatest = self.greatest.max(value);
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
    }

    /// This one, or `other` if there is nothing in it.
    pub(super) fn or<'a>(&'a self, other: &'a Summary) -> &'a Summary {
        if self.count == 0 { other } else { self }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }

    /// 0 if there are none.
    pub(crate) fn least(&self) -> u64 {
        self.least
    }

    /// 0 if there are none.
    pub(crate) fn greatest(&self) -> u64 {
        self.greatest
    }

    /// To four decimals, as ZooKeeper rounds it; 0 if there are none.
    pub(crate) fn mean(&self) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        (self.sum as f64 / self.count as f64 * 10_000.0).round() / 10_000.0
    }
}

/// Sizes of packets: the last, the least and the greatest; −1: none yet (Java: `BufferStats`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sizes {
    pub(crate) last: i64,
    pub(crate) least: i64,
    pub(crate) greatest: i64,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes { last: -1, least: -1, greatest: -1 }
    }
}

impl Sizes {
    /// One more.
    pub(crate) fn add(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.last = bytes;
        self.least = if self.least < 0 { bytes } else { self.least.min(bytes) };
        self.greatest = self.greatest.max(bytes);
    }
}

/// A summary, and how the values are spread: exact below 16, then to an eighth.
#[derive(Clone, Debug)]
pub(crate) struct Distribution {
    summary: Summary,
    buckets: Box<[u64; BUCKETS]>,
}

/// Sixteen exact ones, then eight for each doubling up to 2^32, which is 49 days of milliseconds.
const BUCKETS: usize = 16 + 28 * 8;

impl Default for Distribution {
    fn default() -> Distribution {
        Distribution { summary: Summary::default(), buckets: Box::new([0; BUCKETS]) }
    }
}

impl Distribution {
    /// One more.
    pub(crate) fn add(&mut self, value: u64) {
        self.summary.add(value);
        self.buckets[bucket(value)] += 1;
    }

    /// This one, or `other` if there is nothing in it.
    pub(super) fn or<'a>(&'a self, other: &'a Distribution) -> &'a Distribution {
        if self.summary.count == 0 { other } else { self }
    }

    pub(crate) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The value that this share of all does not exceed, to about an eighth; 0 if there are none.
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        let wanted = (self.summary.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (index, &count) in self.buckets.iter().enumerate() {
            seen += count;
            if count > 0 && seen >= wanted {
                return least_in(index).clamp(self.summary.least, self.summary.greatest);
            }
        }
        0
    }
}

fn bucket(value: u64) -> usize {
    if value < 16 {
        return value as usize;
    }
    let exponent = value.ilog2() as usize;
    let eighth = (value >> (exponent - 3)) as usize & 7;
    (16 + (exponent - 4) * 8 + eighth).min(BUCKETS - 1)
}

fn least_in(bucket: usize) -> u64 {
    if bucket < 16 {
        return bucket as u64;
    }
    let (doubling, eighth) = ((bucket - 16) / 8, (bucket - 16) % 8);
    (8 + eighth as u64) << (doubling + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_has_four_decimals() {
        let mut summary = Summary::default();
        assert_eq!(summary.mean(), 0.0);
        for value in [1, 1, 2] {
            summary.add(value);
        }
        assert_eq!((summary.mean(), summary.least(), summary.greatest()), (1.3333, 1, 2));
    }

    #[test]
    fn every_value_finds_a_bucket_that_begins_at_or_below_it() {
        for value in (0..5_000).chain([1 << 20, u64::from(u32::MAX), u64::MAX]) {
            let found = bucket(value);
            assert!(found < BUCKETS);
            assert!(least_in(found) <= value);
            if found + 1 < BUCKETS {
                assert!(least_in(found + 1) > value, "{value} in {found}");
            }
        }
    }

    #[test]
    fn quantiles_are_right_to_an_eighth() {
        let mut spread = Distribution::default();
        assert_eq!(spread.quantile(0.5), 0);
        for value in 1..=1000 {
            spread.add(value);
        }
        for (share, exact) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0)] {
            let found = spread.quantile(share) as f64;
            assert!(found <= exact && found > exact * 0.85, "{share}: {found}");
        }
        assert_eq!(spread.quantile(1.0), 960);
    }
}
