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
#[derive(Debug, Default)]
pub(crate) struct Histories {
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
    /// What is before it, and the hash of that.
    previous: Position,
    before: u64,
    facts: Vec<Fact>,
    /// What a machine's digest is after each, as far as one has applied it.
    digests: Vec<Option<u64>>,
}

/// An entry has another history than it had elsewhere.
pub(crate) struct Differs;

impl Histories {
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
        if position == Position::ZERO {
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

    /// The whole history that ends with a position.
    pub(crate) fn chain(&self, position: Position) -> Option<Vec<Fact>> {
        let mut chain = vec![None; self.place(position)? as usize];
        let mut end = position;
        while end != Position::ZERO {
            let epoch = self.epoch(end.epoch)?;
            let count = (end.index - epoch.first + 1) as usize;
            let from = epoch.place as usize - 1;
            for (slot, fact) in chain[from..from + count].iter_mut().zip(&epoch.facts) {
                *slot = Some(*fact);
            }
            end = epoch.previous;
        }
        chain.into_iter().collect()
    }

    /// A machine that applied everything up to `position` has this digest. False if another's is different, or nobody ever appended
    /// that: the same history makes the same machine.
    pub(crate) fn digest_agrees(&mut self, position: Position, digest: u64) -> bool {
        if position == Position::ZERO {
            return digest == 0;
        }
        let Some(Some(epoch)) = self.epochs.get_mut(position.epoch as usize) else { return false };
        let Some(after) = position.index.checked_sub(epoch.first) else { return false };
        if after >= epoch.facts.len() as u64 {
            return false;
        }
        if epoch.digests.len() <= after as usize {
            epoch.digests.resize(after as usize + 1, None);
        }
        *epoch.digests[after as usize].get_or_insert(digest) == digest
    }

    /// What is before a position; `None` if nothing was ever appended there.
    pub(crate) fn previous(&self, position: Position) -> Option<Position> {
        let epoch = self.epoch(position.epoch)?;
        match position.index.checked_sub(epoch.first)? {
            0 => Some(epoch.previous),
            _ => Some(Position::new(position.epoch, position.index - 1)),
        }
    }

    /// Somebody appended `fact` at `place`, after a history that ends with `previous` and has the hash `before`.
    pub(crate) fn remember(&mut self, place: u64, (previous, before): (Position, u64), fact: Fact) -> Result<(), Differs> {
        let Position { epoch, index } = fact.position;
        let number = epoch as usize;
        if self.epochs.len() <= number {
            self.epochs.resize_with(number + 1, || None);
        }
        let epoch = self.epochs[number].get_or_insert_with(|| Epoch {
            first: index,
            place,
            previous,
            before,
            facts: Vec::new(),
            digests: Vec::new(),
        });
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
        let at = Position::new;
        let mut histories = Histories::default();
        assert!(histories.remember(1, (Position::ZERO, 0), fact(1, 1, 10)).is_ok());
        assert!(histories.remember(2, (at(1, 1), 10), fact(1, 2, 20)).is_ok());
        // Each of Zab's epochs counts from 1.
        assert!(histories.remember(3, (at(1, 2), 20), fact(4, 1, 30)).is_ok());
        assert_eq!(histories.place(at(4, 1)), Some(3));
        assert_eq!(histories.before(at(4, 1)), Some(20));
        assert_eq!(histories.place(at(4, 2)), None);
        assert_eq!(histories.chain(at(4, 1)).map(|chain| chain.len()), Some(3));
        assert!(histories.remember(2, (at(1, 1), 10), fact(4, 1, 31)).is_err(), "elsewhere it has another place");
        assert!(histories.remember(2, (at(1, 1), 10), fact(1, 2, 21)).is_err(), "elsewhere it has other bytes");
    }
}
