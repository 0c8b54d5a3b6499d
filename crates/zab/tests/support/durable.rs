//! A disk: what survives a crash.

use consensus::{Append, Entry, Persist, Position, Promise};
use zab::Recovered;

/// What a state machine holds: everything that was applied to it.
pub type State = Vec<Entry>;

/// What survives a crash.
#[derive(Clone, Debug, Default)]
pub struct Durable {
    pub promise: Promise,
    pub log: Vec<Entry>,
    pub snapshot: (Position, State),
    /// An empty database that may not be trusted.
    pub untrusted: bool,
}

impl Durable {
    /// A disk whose log holds these, in the epochs in which they were written.
    pub fn with(current: u64, log: Vec<Entry>) -> Durable {
        let promise = Promise { epoch: current, current, ..Promise::default() };
        Durable { promise, log, ..Durable::default() }
    }

    pub fn last(&self) -> Position {
        self.log.last().map_or(self.snapshot.0, |entry| entry.position.max(self.snapshot.0))
    }

    /// Everything, from the beginning.
    pub fn history(&self) -> Vec<Entry> {
        let (position, state) = &self.snapshot;
        state.iter().chain(self.log.iter().filter(|entry| entry.position > *position)).cloned().collect()
    }

    pub fn recovered(&self, tail: usize) -> Recovered {
        let after: Vec<Entry> = self.log.iter().filter(|entry| entry.position > self.snapshot.0).cloned().collect();
        let tail = after[after.len().saturating_sub(tail)..].to_vec();
        let before = match tail.first() {
            None => self.last(),
            Some(first) => {
                let earlier = self.log.iter().map(|entry| entry.position).filter(|&position| position < first.position);
                earlier.max().map_or(self.snapshot.0, |position| position.max(self.snapshot.0))
            }
        };
        let trusted = !self.untrusted;
        Recovered { promise: self.promise, snapshot: self.snapshot.0, last: self.last(), tail, before, trusted }
    }

    pub fn write(&mut self, persist: &Persist) {
        // The log comes before the promise; a crash may come between, see `tear`.
        if let Some(append) = &persist.append {
            self.append(append, append.entries.len());
        }
        if let Some(promise) = persist.promise {
            assert!(promise.epoch >= self.promise.epoch, "acceptedEpoch went back");
            assert!(promise.current >= self.promise.current, "currentEpoch went back");
            self.promise = promise;
        }
    }

    pub fn append(&mut self, append: &Append, count: usize) {
        self.log.retain(|entry| entry.position <= append.after);
        assert!(append.after <= self.last() || append.entries.is_empty(), "a gap in the log: {append:?} after {}", self.last());
        assert_eq!(self.last(), append.after, "the log does not end where it is to be continued");
        self.log.extend(append.entries[..count].iter().cloned());
    }
}
