//! The network between the members: what passes, and when it arrives. Which links seem to stand is a matter of each protocol.

use consensus::{Chance, Instant};
use std::time::Duration;

/// All paths between members.
#[derive(Debug)]
pub(crate) struct Network {
    members: usize,
    paths: Vec<Path>,
    chance: Chance,
}

/// From one member to another. A path is directed.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    /// For how many reasons nothing passes.
    cuts: u32,
    pub(crate) weather: Weather,
}

/// How a path treats what passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Weather {
    /// Least and greatest delay in fair weather.
    pub(crate) delay: (Duration, Duration),
    /// In a million: lost.
    pub(crate) drop: u64,
    /// In a million: doubled.
    pub(crate) duplicate: u64,
    /// In a million: overtaken by later ones.
    pub(crate) reorder: u64,
    /// In a million: delayed by a heavy-tailed span.
    pub(crate) tail: u64,
}

impl Weather {
    /// Nothing is lost and nothing comes late.
    pub(crate) fn fair(low: Duration, high: Duration) -> Weather {
        Weather { delay: (low, high), drop: 0, duplicate: 0, reorder: 0, tail: 0 }
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// There is no way.
    Cut,
    /// It is lost on the way.
    Dropped,
    /// It arrives.
    Arrives {
        /// When.
        at: Instant,
        /// And once more, then.
        again: Option<Instant>,
        /// It may overtake others.
        reordered: bool,
        /// It takes much longer than usual.
        delayed: bool,
    },
}

const MILLION: u64 = 1_000_000;

impl Network {
    pub(crate) fn new(members: usize, weather: Weather, chance: Chance) -> Network {
        let path = Path { cuts: 0, weather };
        Network { members, paths: vec![path; members * members], chance }
    }

    pub(crate) fn path(&self, from: usize, to: usize) -> &Path {
        &self.paths[from * self.members + to]
    }

    pub(crate) fn path_mut(&mut self, from: usize, to: usize) -> &mut Path {
        &mut self.paths[from * self.members + to]
    }

    /// Whether anything passes from one to the other.
    pub(crate) fn passes(&self, from: usize, to: usize) -> bool {
        self.path(from, to).cuts == 0
    }

    /// Whether a connection can stand between them.
    pub(crate) fn connects(&self, one: usize, other: usize) -> bool {
        self.passes(one, other) && self.passes(other, one)
    }

    /// One more reason why nothing passes.
    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        self.path_mut(from, to).cuts += 1;
    }

    /// One reason less.
    pub(crate) fn mend(&mut self, from: usize, to: usize) {
        let path = self.path_mut(from, to);
        path.cuts = path.cuts.saturating_sub(1);
    }

    /// No reason is left.
    pub(crate) fn heal(&mut self, from: usize, to: usize, weather: Weather) {
        let path = self.path_mut(from, to);
        path.cuts = 0;
        path.weather = weather;
    }

    /// How long something takes from one to the other in fair weather.
    pub(crate) fn delay(&mut self, from: usize, to: usize) -> Duration {
        let (low, high) = self.path(from, to).weather.delay;
        self.chance.between(low, high)
    }

    /// How much longer than that it takes in bad weather.
    pub(crate) fn tail(&mut self, from: usize, to: usize) -> Duration {
        let tail = self.path(from, to).weather.tail;
        if tail > 0 && self.chance.one_in(tail, MILLION) { heavy(&mut self.chance) } else { Duration::ZERO }
    }

    /// What becomes of a message that leaves now. `last` is when the last one of its stream arrives, so that it does not overtake
    /// that.
    pub(crate) fn send(&mut self, now: Instant, from: usize, to: usize, last: &mut Instant) -> Fate {
        let chance = &mut self.chance;
        let path = &self.paths[from * self.members + to];
        if path.cuts > 0 {
            return Fate::Cut;
        }
        let Weather { delay: (low, high), drop, duplicate, reorder, tail } = path.weather;
        if drop > 0 && chance.one_in(drop, MILLION) {
            return Fate::Dropped;
        }
        let delayed = tail > 0 && chance.one_in(tail, MILLION);
        let delay = if delayed { heavy(chance) } else { chance.between(low, high) };
        let reordered = reorder > 0 && chance.one_in(reorder, MILLION);
        let at = if reordered {
            // Most are overtaken by a few, some by all that happens in a second.
            let held = [5, 50, 1_000][chance.below(3) as usize];
            now + delay + chance.between(Duration::ZERO, Duration::from_millis(held))
        } else if delayed && chance.one_in(1, 2) {
            // It is late alone: what follows does not wait for it.
            now + delay
        } else {
            *last = (*last).max(now + delay);
            *last
        };
        let again = (duplicate > 0 && chance.one_in(duplicate, MILLION))
            .then(|| at + chance.between(Duration::ZERO, Duration::from_millis(500)));
        Fate::Arrives { at, again, reordered, delayed }
    }
}

/// A delay whose tail is heavy: most are some milliseconds, a few are seconds (Pareto, shape about 1).
fn heavy(chance: &mut Chance) -> Duration {
    let one_over = 1 + chance.below(5_000);
    Duration::from_micros((5_000 * 5_000 / one_over).min(5_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_fair_weather_messages_keep_their_order() {
        let weather = Weather::fair(Duration::from_micros(10), Duration::from_millis(9));
        let mut network = Network::new(2, weather, Chance::new(5));
        let (mut last, mut before) = (Instant::ZERO, Instant::ZERO);
        for step in 0..1_000 {
            let Fate::Arrives { at, again: None, .. } = network.send(Instant::from_nanos(step), 0, 1, &mut last) else {
                panic!()
            };
            assert!(at >= before);
            before = at;
        }
        network.cut(0, 1);
        network.cut(0, 1);
        network.mend(0, 1);
        assert_eq!(network.send(Instant::ZERO, 0, 1, &mut last), Fate::Cut);
        assert!(network.passes(1, 0) && !network.connects(0, 1));
    }
}
