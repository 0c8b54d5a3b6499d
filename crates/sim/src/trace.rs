//! What happened, in plain words and as a hash.

use crate::machine::mix;
use consensus::Instant;
use std::fmt::Write as _;

/// The story of a run. Its hash covers every event, whether or not the words are wanted.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    wanted: bool,
    text: String,
    hash: u64,
}

impl Trace {
    pub(crate) fn new(wanted: bool) -> Trace {
        Trace { wanted, ..Trace::default() }
    }

    /// Something happened: a number that tells it apart goes into the hash, a line into the story.
    #[inline]
    pub(crate) fn note(&mut self, now: Instant, what: u64, line: impl FnOnce() -> String) {
        self.hash = mix(mix(self.hash, now.as_nanos()), what);
        if self.wanted {
            self.write(now, &line());
        }
    }

    fn write(&mut self, now: Instant, line: &str) {
        let nanos = now.as_nanos();
        writeln!(self.text, "{:>6}.{:06} s  {line}", nanos / 1_000_000_000, nanos / 1_000 % 1_000_000).expect("a string grows");
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The story so far.
    pub(crate) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}
