//! Everything that was ever appended anywhere: for each position, the history that ends there.
//!
//! In Raft and in Zab alike, two logs that hold the same position agree in everything before it (Raft §5.3: Log Matching; Zab: a
//! transaction is only proposed by an established primary, after its whole initial history). So a position has one *place*, counted
//! from 1 at the beginning of its history (in Raft that is its index; in Zab, where each epoch counts from 1, it is not), and one
//! hash over everything up to it.

use crate::machine::mix;
use consensus::{Entry, Position};

/// One entry, as the ghost remembers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fact {
    pub(crate) position: Position,
    /// A hash of everything up to and including it.
    pub(crate) prefix: u64,
    /// The operation that it carries; 0 if none.
    pub(crate) op: u64,
}

/// All entries of all epochs.
#[derive(Debug)]
pub(crate) struct Histories {
    /// Where every history begins: the place 0.
    pub(crate) origin: Position,
    /// By number of the epoch.
    epochs: Vec<Option<Epoch>>,
}

/// The entries of one epoch, which follow each other in every history that has them.
#[derive(Debug)]
struct Epoch {
    /// The index of the first.
    first: u64,
    /// Its place.
    place: u64,
    /// The hash of what is before it.
    before: u64,
    facts: Vec<Fact>,
}

/// An entry has another history than it had elsewhere.
pub(crate) struct Differs;

impl Histories {
    pub(crate) fn new(origin: Position) -> Histories {
        Histories { origin, epochs: Vec::new() }
    }

    fn epoch(&self, number: u64) -> Option<&Epoch> {
        self.epochs.get(number as usize)?.as_ref()
    }

    /// What was appended at a position.
    pub(crate) fn fact(&self, position: Position) -> Option<Fact> {
        let epoch = self.epoch(position.epoch)?;
        epoch.facts.get(position.index.checked_sub(epoch.first)? as usize).copied()
    }

    /// The place of a position; `None` if nothing was ever appended there.
    pub(crate) fn place(&self, position: Position) -> Option<u64> {
        if position == self.origin {
            return Some(0);
        }
        let epoch = self.epoch(position.epoch)?;
        let after = position.index.checked_sub(epoch.first)?;
        (after < epoch.facts.len() as u64).then(|| epoch.place + after)
    }

    /// The hash of what is before a position.
    pub(crate) fn before(&self, position: Position) -> Option<u64> {
        let epoch = self.epoch(position.epoch)?;
        match position.index.checked_sub(epoch.first)? {
            0 => Some(epoch.before),
            after => epoch.facts.get(after as usize - 1).map(|fact| fact.prefix),
        }
    }

    /// Somebody appended `fact` at `place`, after a history with the hash `before`.
    pub(crate) fn remember(&mut self, place: u64, before: u64, fact: Fact) -> Result<(), Differs> {
        let Position { epoch, index } = fact.position;
        let number = epoch as usize;
        if self.epochs.len() <= number {
            self.epochs.resize_with(number + 1, || None);
        }
        let epoch = self.epochs[number].get_or_insert_with(|| Epoch { first: index, place, before, facts: Vec::new() });
        let after = index.checked_sub(epoch.first).ok_or(Differs)?;
        if epoch.place + after != place {
            return Err(Differs);
        }
        match epoch.facts.get(after as usize) {
            Some(known) if known.prefix == fact.prefix => Ok(()),
            None if after == epoch.facts.len() as u64 => {
                epoch.facts.push(fact);
                Ok(())
            }
            _ => Err(Differs),
        }
    }
}

/// The hash of a prefix that ends with `entry`, after the prefix `before`.
pub(crate) fn prefix(before: u64, entry: &Entry) -> u64 {
    let mut hash = mix(mix(before, entry.position.epoch), entry.position.index);
    let mut words = entry.data.chunks_exact(8);
    for word in &mut words {
        hash = mix(hash, u64::from_le_bytes(word.try_into().expect("a chunk of eight")));
    }
    for &byte in words.remainder() {
        hash = mix(hash, u64::from(byte));
    }
    mix(hash, entry.data.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(epoch: u64, index: u64, prefix: u64) -> Fact {
        Fact { position: Position::new(epoch, index), prefix, op: 0 }
    }

    #[test]
    fn a_position_has_one_place_in_one_history() {
        let mut histories = Histories::new(Position::ZERO);
        assert!(histories.remember(1, 0, fact(1, 1, 10)).is_ok());
        assert!(histories.remember(2, 10, fact(1, 2, 20)).is_ok());
        // Each of Zab's epochs counts from 1.
        assert!(histories.remember(3, 20, fact(4, 1, 30)).is_ok());
        assert_eq!(histories.place(Position::new(4, 1)), Some(3));
        assert_eq!(histories.before(Position::new(4, 1)), Some(20));
        assert_eq!(histories.place(Position::new(4, 2)), None);
        assert!(histories.remember(2, 10, fact(4, 1, 31)).is_err(), "elsewhere it has another place");
        assert!(histories.remember(2, 10, fact(1, 2, 21)).is_err(), "elsewhere it has other bytes");
    }
}
