//! Whether what clients were told looks as if each operation had happened at one moment between its call and its answer.
//!
//! Answers carry the place at which they hold, and the committed log is one order of all writes. So nothing has to be searched for
//! (deciding linearizability in general takes exponential time): the operations are replayed in the order of their places, every
//! answer is compared with the model, and one sweep over time shows whether the order contradicts it. A write whose outcome no
//! client learned is settled from the ghost's log.

use crate::machine::{self, Change};
use consensus::Instant;
use std::collections::BTreeMap;

/// An operation, as its client saw it, and where it took effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Done {
    pub(crate) op: u64,
    pub(crate) key: u16,
    /// `None`: a read.
    pub(crate) change: Option<Change>,
    pub(crate) called: Instant,
    /// [`Instant::NEVER`] if its client did not learn the outcome.
    pub(crate) answered: Instant,
    /// What the register was said to hold; `None` if its client did not learn it.
    pub(crate) held: Option<u64>,
    /// How often it was said to have been written by then; `None` if its client did not learn it.
    pub(crate) version: Option<u64>,
    /// The place at which it took effect: of a write, its entry; of a read, the last entry that it saw.
    pub(crate) place: u64,
}

/// The first contradiction, in plain words.
pub(crate) fn check(mut operations: Vec<Done>) -> Result<(), String> {
    // A read comes after the write at its place.
    operations.sort_unstable_by_key(|done| (done.place, done.change.is_none(), done.called, done.op));
    replay(&operations)?;
    sweep(&operations)
}

fn replay(operations: &[Done]) -> Result<(), String> {
    let mut registers: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
    for done in operations {
        let (register, version) = registers.entry(done.key).or_insert((0, 0));
        if let Some(held) = done.held
            && held != *register
        {
            let (op, key, place) = (done.op, done.key, done.place);
            return Err(format!("operation {op} was told that register {key} held {held} at {place}; it held {register}"));
        }
        if let Some(change) = done.change {
            *register = machine::change(*register, change);
            *version += 1;
        }
        if let Some(said) = done.version
            && said != *version
        {
            let (op, key, place) = (done.op, done.key, done.place);
            return Err(format!(
                "operation {op} was told that register {key} was written {said} times by {place}; it was {version}"
            ));
        }
    }
    Ok(())
}

/// Nothing that was called after an answer may take effect before what was answered. From the last effect to the first: the
/// earliest answer among those with later effects must not precede a call.
fn sweep(operations: &[Done]) -> Result<(), String> {
    // Reads at the same place may take effect in any order, so each group of equal effects is compared with later groups only.
    let mut earliest: Option<Done> = None;
    let mut group: Option<Done> = None;
    let mut at = None;
    for done in operations.iter().rev() {
        let effect = (done.place, done.change.is_none());
        if at != Some(effect) {
            earliest = sooner(earliest, group.take());
            at = Some(effect);
        }
        if let Some(later) = earliest
            && later.answered < done.called
        {
            return Err(format!(
                "operation {} took effect at {}, before operation {} at {}, but was called at {} when that had been answered at {}",
                done.op, done.place, later.op, later.place, done.called, later.answered
            ));
        }
        group = sooner(group, Some(*done));
    }
    Ok(())
}

fn sooner(one: Option<Done>, other: Option<Done>) -> Option<Done> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.answered < one.answered { other } else { one }),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(op: u64, change: Option<u64>, called: u64, answered: u64, held: u64, place: u64) -> Done {
        Done {
            op,
            key: 1,
            change: change.map(Change::Put),
            called: Instant::from_nanos(called),
            answered: Instant::from_nanos(answered),
            held: Some(held),
            version: None,
            place,
        }
    }

    #[test]
    fn a_read_that_sees_the_write_is_fine() {
        assert_eq!(check(vec![done(1, Some(7), 0, 10, 0, 1), done(2, None, 11, 12, 7, 1)]), Ok(()));
    }

    #[test]
    fn a_stale_read_is_found() {
        let wrong = check(vec![done(1, Some(7), 0, 10, 0, 1), done(2, Some(8), 11, 20, 7, 2), done(3, None, 21, 30, 7, 1)]);
        assert!(wrong.unwrap_err().contains("operation 3 took effect at 1"));
    }

    #[test]
    fn a_wrong_answer_is_found() {
        let wrong = check(vec![done(1, Some(7), 0, 10, 0, 1), done(2, None, 11, 12, 9, 1)]);
        assert!(wrong.unwrap_err().contains("held 9"));
    }

    #[test]
    fn a_write_whose_outcome_nobody_learned_may_take_effect_late() {
        let lost = Done { answered: Instant::NEVER, held: None, ..done(1, Some(7), 0, 0, 0, 2) };
        assert_eq!(check(vec![lost, done(2, Some(5), 50, 60, 0, 1), done(3, None, 70, 80, 7, 2)]), Ok(()));
    }
}
