//! Whether what clients were told is what one store would have told them that did one thing at a time, each between its call and
//! its answer.
//!
//! Answers carry the revision at which they hold, so nothing has to be searched for (deciding linearizability in general takes
//! exponential time): operations are sorted by it and replayed on a model, every answer is compared, and one sweep over time shows
//! whether the order contradicts it: O(n log n). A write whose outcome no client learned is settled from what a watcher saw.

use crate::chaos::model::{Change, Done, Held, Key, State, Step};
use std::collections::{BTreeMap, HashMap};

/// A change as a watcher saw it, without what was before.
pub type Seen = (Key, Option<Held>);

/// What happened, by revision; the first change makes revision 2.
#[derive(Debug, Default)]
pub struct Log {
    pub changes: Vec<Vec<Change>>,
}

impl Log {
    /// The revision of the first change.
    pub const FIRST: i64 = 2;

    pub fn head(&self) -> i64 {
        Log::FIRST - 1 + self.changes.len() as i64
    }

    pub fn from(&self, revision: i64) -> impl Iterator<Item = (i64, &Change)> {
        let skipped = (revision - Log::FIRST).max(0) as usize;
        (Log::FIRST + skipped as i64..)
            .zip(self.changes.iter().skip(skipped))
            .flat_map(|(revision, changes)| changes.iter().map(move |change| (revision, change)))
    }
}

/// Replays `done` along `ghost`: all changes from the first revision on, as they were seen. The first contradiction, in plain words.
pub fn check(done: &[Done], ghost: &[(i64, Vec<Seen>)]) -> Result<Log, String> {
    let unknown = Unknown::of(done);
    let mut writes: BTreeMap<i64, usize> = BTreeMap::new();
    let mut reads: Vec<(i64, usize)> = Vec::new();
    for (index, operation) in done.iter().enumerate() {
        let Some((_, answer)) = &operation.answer else { continue };
        if !answer.wrote() {
            reads.push((if operation.call.revision > 0 { operation.call.revision } else { answer.revision }, index));
        } else if let Some(other) = writes.insert(answer.revision, index) {
            return Err(format!(
                "two writes were told that they made revision {}: {:?} and {:?}",
                answer.revision, done[other], operation
            ));
        }
    }
    reads.sort_unstable();
    let mut reads = reads.into_iter().peekable();
    let mut settled: Vec<Effect> = Vec::new();
    let (mut state, mut log) = (State::default(), Log::default());
    let check_reads = |state: &State, upto: i64, reads: &mut std::iter::Peekable<std::vec::IntoIter<(i64, usize)>>| {
        while let Some((_, index)) = reads.next_if(|&(revision, _)| revision <= upto) {
            compare(state, &done[index])?;
        }
        Ok::<(), String>(())
    };
    check_reads(&state, Log::FIRST - 1, &mut reads)?;
    for (revision, seen) in ghost {
        if *revision != log.head() + 1 {
            return Err(format!("nobody saw what made revision {}; the next that was seen is {revision}", log.head() + 1));
        }
        let changes = match writes.remove(revision) {
            Some(index) => {
                let operation = &done[index];
                let changes = compare(&state, operation)?;
                let alike = changes.len() == seen.len() && changes.iter().zip(seen).all(|(c, s)| (c.key, c.now) == *s);
                if !alike {
                    return Err(format!("revision {revision} was acknowledged as {operation:?}, but seen as {seen:?}"));
                }
                changes
            }
            None => {
                let (changes, called) = unknown.explain(&state, *revision, seen)?;
                settled.push(Effect {
                    place: *revision,
                    read: false,
                    called,
                    answered: u64::MAX,
                    what: seen.first().map_or(0, |seen| seen.0),
                });
                changes
            }
        };
        state.apply(&changes);
        log.changes.push(changes);
        check_reads(&state, *revision, &mut reads)?;
    }
    if let Some((revision, index)) = writes.pop_first() {
        return Err(format!(
            "a write is lost: revision {revision} was acknowledged, but the history ends at {}: {:?}",
            log.head(),
            done[index]
        ));
    }
    if let Some((revision, index)) = reads.next() {
        return Err(format!("a read saw revision {revision}, but the history ends at {}: {:?}", log.head(), done[index]));
    }
    never_twice(&log)?;
    settled.extend(done.iter().filter_map(Effect::of));
    sweep(settled)?;
    Ok(log)
}

/// Checks an answer against the state in which it holds; gives the changes that it made.
fn compare(state: &State, operation: &Done) -> Result<Vec<Change>, String> {
    let (_, told) = operation.answer.as_ref().expect("only answered operations are compared");
    let (mut expected, changes) = state.answer(&operation.call, told.revision);
    // A range has no outcome but what it found.
    if operation.call.guards.is_empty() {
        expected.succeeded = told.succeeded;
    }
    if expected == *told {
        return Ok(changes);
    }
    let kind = if changes.is_empty() { "a stale or wrong read" } else { "a wrong answer to a write" };
    Err(format!(
        "{kind} at revision {}: client {} called {:?}\n  was told {:?}\n  expected {:?}",
        told.revision, operation.client, operation.call, told, expected
    ))
}

/// Writes whose outcome their clients never learned.
struct Unknown {
    puts: HashMap<u64, u64>,
    deletes: Vec<(Key, Key, u64)>,
}

impl Unknown {
    fn of(done: &[Done]) -> Unknown {
        let mut unknown = Unknown { puts: HashMap::new(), deletes: Vec::new() };
        for operation in done.iter().filter(|done| done.answer.is_none()) {
            for step in operation.call.steps() {
                match *step {
                    Step::Put { value, .. } => drop(unknown.puts.insert(value, operation.called)),
                    Step::Delete { from, to } => unknown.deletes.push((from, to, operation.called)),
                    Step::Range { .. } => {}
                }
            }
        }
        unknown
    }

    /// The changes of a revision that nobody was told of, and the earliest moment at which they can have been made: each must have
    /// been asked for, or be the end of a lease.
    fn explain(&self, state: &State, revision: i64, seen: &[Seen]) -> Result<(Vec<Change>, u64), String> {
        let mut changes = Vec::new();
        let mut earliest = 0;
        for &(key, now) in seen {
            let before = state.get(key);
            match now {
                Some(held) => {
                    let Some(&called) = self.puts.get(&held.value) else {
                        return Err(format!("nobody put what made revision {revision}: {key:08} = {held:?}"));
                    };
                    earliest = earliest.max(called);
                    let (created, version) = before.map_or((revision, 1), |held| (held.created, held.version + 1));
                    if (held.created, held.modified, held.version) != (created, revision, version) {
                        return Err(format!("{key:08} was seen as {held:?} at {revision}, after {before:?}"));
                    }
                }
                None => {
                    let Some(held) = before else {
                        return Err(format!("{key:08} was deleted at {revision}, where it did not exist"));
                    };
                    let asked = self
                        .deletes
                        .iter()
                        .filter(|(from, to, _)| (*from..*to).contains(&key))
                        .map(|&(_, _, called)| called)
                        .min();
                    match asked {
                        Some(called) if held.lease == 0 => earliest = earliest.max(called),
                        None if held.lease == 0 => {
                            return Err(format!("nobody deleted {key:08}, which is gone at {revision}: {held:?}"));
                        }
                        _ => {}
                    }
                }
            }
            changes.push(Change { key, now, before });
        }
        Ok((changes, earliest))
    }
}

/// Each value is written by one step of one call, so it cannot appear twice unless a proposal was applied twice.
fn never_twice(log: &Log) -> Result<(), String> {
    let mut written: HashMap<u64, i64> = HashMap::new();
    for (revision, change) in log.from(Log::FIRST) {
        if let Some(held) = change.now
            && let Some(before) = written.insert(held.value, revision)
        {
            return Err(format!(
                "the same put was applied twice, at {before} and at {revision}: {:08} = {}",
                change.key, held.value
            ));
        }
    }
    Ok(())
}

/// When something took effect, in the order of the store and on the clients' clock.
#[derive(Clone, Copy, Debug)]
struct Effect {
    place: i64,
    /// A read comes after the write at its place.
    read: bool,
    called: u64,
    answered: u64,
    what: u32,
}

impl Effect {
    fn of(done: &Done) -> Option<Effect> {
        let (answered, answer) = done.answer.as_ref()?;
        // Who asks one member for what it knows is told where that holds, and not that it is the newest.
        if done.call.serializable {
            return None;
        }
        Some(Effect {
            place: answer.revision,
            read: !answer.wrote(),
            called: done.called,
            answered: *answered,
            what: done.client,
        })
    }
}

/// Nothing that was called after an answer may take effect before what was answered. From the last effect to the first: the
/// earliest answer among those with later effects must not precede a call.
fn sweep(mut effects: Vec<Effect>) -> Result<(), String> {
    effects.sort_unstable_by_key(|effect| (effect.place, effect.read));
    // Reads at one place may take effect in any order: each group is compared with later groups only.
    let sooner = |one: Option<Effect>, other: Option<Effect>| match (one, other) {
        (Some(one), Some(other)) => Some(if other.answered < one.answered { other } else { one }),
        (one, other) => one.or(other),
    };
    let (mut earliest, mut group): (Option<Effect>, Option<Effect>) = (None, None);
    let mut at = None;
    for effect in effects.iter().rev() {
        if at != Some((effect.place, effect.read)) {
            earliest = sooner(earliest, group.take());
            at = Some((effect.place, effect.read));
        }
        if let Some(later) = earliest
            && later.answered < effect.called
        {
            return Err(format!(
                "a stale {}: client {} was answered at revision {}, at {} ns, but {} called at {} ns holds at revision {}",
                if effect.read { "read" } else { "write" },
                later.what,
                later.place,
                later.answered,
                effect.what,
                effect.called,
                effect.place,
            ));
        }
        group = sooner(group, Some(*effect));
    }
    Ok(())
}
