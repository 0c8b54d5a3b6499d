//! Time and chance, for code that must not take them from the machine itself.

use consensus::{Instant, Wall};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// This process's monotonic clock. Copies show the same time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: std::time::Instant,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock { start: std::time::Instant::now() }
    }

    pub(crate) fn now(self) -> Instant {
        let nanos = self.start.elapsed().as_nanos();
        // Five hundred years of nanoseconds fit.
        Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX - 1))
    }

    /// The moment `at` as tokio's timers want it; `None` if it never comes.
    pub(crate) fn timer(self, at: Instant) -> Option<tokio::time::Instant> {
        if at == Instant::NEVER {
            return None;
        }
        self.start.checked_add(Duration::from_nanos(at.as_nanos())).map(tokio::time::Instant::from_std)
    }
}

/// Wall-clock time. A clock before 1970 shows 1970.
pub(crate) fn wall() -> Wall {
    Wall(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// A number that nobody could have foreseen, never 0: for seeds, and for telling processes apart.
///
/// The standard library seeds its hash maps from the operating system; that is all the randomness needed here.
pub(crate) fn unforeseen() -> u64 {
    RandomState::new().build_hasher().finish().max(1)
}
