//! What clients ask and are told, in numbers, and what a store that works would have told them.
//!
//! Keys are numbers of eight digits and values are numbers, too, each written at most once: whoever finds a value knows who wrote it.

use std::collections::BTreeMap;

/// A key; as text it has eight digits, so that order is order.
pub type Key = u32;

/// A key's value, and what etcd keeps of its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    pub value: u64,
    pub created: i64,
    pub modified: i64,
    pub version: i64,
    pub lease: i64,
}

/// One step of a transaction; a plain request is a transaction of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Put { key: Key, value: u64, lease: i64 },
    Delete { from: Key, to: Key },
    Range { from: Key, to: Key },
}

/// What a step was answered. Puts and deletes ask for what was there before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    Put(Option<Held>),
    Deleted(Vec<(Key, Held)>),
    Ranged(Vec<(Key, Held)>),
}

/// What a guard looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// The revision of the last change; 0 where there is no key.
    Modified,
    /// The number of changes since the creation; 0 where there is no key.
    Version,
}

/// A comparison for equality.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guard {
    pub key: Key,
    pub target: Target,
    pub equals: i64,
}

/// A request.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Call {
    pub guards: Vec<Guard>,
    pub then: Vec<Step>,
    pub otherwise: Vec<Step>,
    /// A range as of this revision; 0 for now.
    pub revision: i64,
    /// A range of what one member knows.
    pub serializable: bool,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub revision: i64,
    pub succeeded: bool,
    pub told: Vec<Told>,
}

/// A request, when it was called and when it was answered, in nanoseconds of the test's clock.
#[derive(Clone, Debug)]
pub struct Done {
    pub client: u32,
    pub call: Call,
    pub called: u64,
    /// `None`: the client never learned the outcome.
    pub answer: Option<(u64, Answer)>,
}

/// One key's change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    pub key: Key,
    /// `None`: deleted.
    pub now: Option<Held>,
    pub before: Option<Held>,
}

/// All keys at a revision.
#[derive(Clone, Default, Debug)]
pub struct State(BTreeMap<Key, Held>);

impl Call {
    pub fn one(step: Step) -> Call {
        Call { then: vec![step], ..Call::default() }
    }

    /// Whether it could change anything.
    pub fn may_write(&self) -> bool {
        self.then.iter().chain(&self.otherwise).any(|step| !matches!(step, Step::Range { .. }))
    }

    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.then.iter().chain(&self.otherwise)
    }
}

impl Answer {
    /// Whether, by its own account, it changed anything.
    pub fn wrote(&self) -> bool {
        self.told.iter().any(|told| match told {
            Told::Put(_) => true,
            Told::Deleted(keys) => !keys.is_empty(),
            Told::Ranged(_) => false,
        })
    }
}

impl State {
    pub fn get(&self, key: Key) -> Option<Held> {
        self.0.get(&key).copied()
    }

    pub fn range(&self, from: Key, to: Key) -> Vec<(Key, Held)> {
        self.0.range(from..to).map(|(&key, &held)| (key, held)).collect()
    }

    pub fn holds(&self, guard: &Guard) -> bool {
        let held = self.get(guard.key);
        guard.equals
            == held.map_or(0, |held| match guard.target {
                Target::Modified => held.modified,
                Target::Version => held.version,
            })
    }

    /// What a call is told if its changes make `revision`, and which changes those are.
    pub fn answer(&self, call: &Call, revision: i64) -> (Answer, Vec<Change>) {
        let succeeded = call.guards.iter().all(|guard| self.holds(guard));
        let mut state = Overlay { under: self, over: BTreeMap::new() };
        let mut changes = Vec::new();
        let steps = if succeeded { &call.then } else { &call.otherwise };
        let told = steps.iter().map(|step| state.step(step, revision, &mut changes)).collect();
        (Answer { revision, succeeded, told }, changes)
    }

    pub fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change.now {
                Some(held) => self.0.insert(change.key, held),
                None => self.0.remove(&change.key),
            };
        }
    }
}

/// A state, and what a transaction has changed of it so far.
struct Overlay<'a> {
    under: &'a State,
    over: BTreeMap<Key, Option<Held>>,
}

impl Overlay<'_> {
    fn get(&self, key: Key) -> Option<Held> {
        self.over.get(&key).copied().unwrap_or_else(|| self.under.get(key))
    }

    fn range(&self, from: Key, to: Key) -> Vec<(Key, Held)> {
        let mut found: BTreeMap<Key, Held> = self.under.range(from, to).into_iter().collect();
        for (&key, held) in self.over.range(from..to) {
            match held {
                Some(held) => found.insert(key, *held),
                None => found.remove(&key),
            };
        }
        found.into_iter().collect()
    }

    fn step(&mut self, step: &Step, revision: i64, changes: &mut Vec<Change>) -> Told {
        match *step {
            Step::Put { key, value, lease } => {
                let before = self.get(key);
                let (created, version) = before.map_or((revision, 1), |held| (held.created, held.version + 1));
                let now = Some(Held { value, created, modified: revision, version, lease });
                changes.push(Change { key, now, before });
                self.over.insert(key, now);
                Told::Put(before)
            }
            Step::Delete { from, to } => {
                let found = self.range(from, to);
                for &(key, held) in &found {
                    changes.push(Change { key, now: None, before: Some(held) });
                    self.over.insert(key, None);
                }
                Told::Deleted(found)
            }
            Step::Range { from, to } => Told::Ranged(self.range(from, to)),
        }
    }
}
