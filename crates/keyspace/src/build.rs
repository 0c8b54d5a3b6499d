//! The machine that the rows of a data file hold. See [`crate::row`] for what they look like.
//!
//! A file may hold ten million keys, so the index is not filled one by one: marks are gathered as they come, by revision, sorted by
//! key, and then become a map whose nodes are full. No value is read.

use crate::history::{History, Mark};
use crate::index::Index;
use crate::restore::{Head, MAX_COUNT};
use crate::row::{decode_lease, decode_mark};
use crate::sweep::Sweep;
use crate::{Keyspace, Revision, Values};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::RestoreError;
use core::fmt;

/// Rows of which no machine can be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowError {
    /// Which row: of the change at this revision, or another if there is none.
    pub at: Option<Revision>,
    /// What was expected of it.
    pub expected: String,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "revision {at}: expected {}", self.expected),
            None => write!(f, "expected {}", self.expected),
        }
    }
}

impl core::error::Error for RowError {}

impl From<RestoreError> for RowError {
    fn from(error: RestoreError) -> RowError {
        RowError { at: None, expected: format!("{} (byte {} of the head)", error.expected, error.offset) }
    }
}

/// A machine in the making.
#[derive(Debug)]
pub struct Builder {
    head: Head,
    leases: Vec<(i64, Bytes)>,
    /// All keys, one behind the other.
    keys: Vec<u8>,
    marks: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    key: usize,
    length: usize,
    mark: Mark,
    lease: i64,
}

impl Builder {
    /// Begins with the head.
    pub fn new(head: &Bytes) -> Result<Builder, RowError> {
        Ok(Builder { head: Head::decode(head)?, leases: Vec::new(), keys: Vec::new(), marks: Vec::new() })
    }

    /// Adds a lease.
    pub fn lease(&mut self, id: i64, row: &[u8]) {
        self.leases.push((id, Bytes::copy_from_slice(row)));
    }

    /// Adds the mark of a change. Marks come in order of revision.
    pub fn mark(&mut self, at: Revision, row: &[u8]) -> Result<(), RowError> {
        let wrong = |expected: &str| RowError { at: Some(at), expected: expected.into() };
        let (mark, lease, key) = decode_mark(at, row).ok_or_else(|| wrong("a mark"))?;
        let possible = (1..=self.head.revision).contains(&at.main) && (0..MAX_COUNT).contains(&at.sub);
        if !possible || self.marks.last().is_some_and(|last| last.mark.at >= at) {
            return Err(wrong("the next revision"));
        }
        if mark.version > MAX_COUNT {
            return Err(wrong("a version"));
        }
        self.marks.push(Row { key: self.keys.len(), length: key.len(), mark, lease });
        self.keys.extend_from_slice(key);
        Ok(())
    }

    /// The machine, over the values that these were the marks of.
    pub fn finish<V: Values>(self, values: V) -> Result<Keyspace<V>, RowError> {
        let Builder { head, leases, keys, marks } = self;
        let compacted = head.compacted;
        let mut keyspace = Keyspace::with(values);
        head.put_into(&mut keyspace);
        for (id, row) in leases {
            let terms = decode_lease(&row).ok_or_else(|| RowError { at: None, expected: format!("the terms of lease {id}") })?;
            keyspace.leases.restore(id, terms);
        }
        let order = sorted(&keys, &marks);
        let mut entries: Vec<(Bytes, History)> = Vec::new();
        for number in order {
            let Row { key, length, mark, lease } = marks[number as usize];
            let key = &keys[key..key + length];
            match entries.last_mut() {
                Some((last, history)) if last[..] == *key => {
                    if !history.can_follow(mark) {
                        return Err(RowError { at: Some(mark.at), expected: "what fits the history of its key".into() });
                    }
                    history.push(mark);
                    history.lease = lease;
                }
                _ => {
                    if !History::can_begin(mark, compacted) {
                        return Err(RowError { at: Some(mark.at), expected: "the beginning of its key's history".into() });
                    }
                    let mut history = History::new(mark);
                    history.lease = lease;
                    entries.push((Bytes::copy_from_slice(key), history));
                }
            }
        }
        drop((keys, marks));
        entries.shrink_to_fit();
        keyspace.index = Index::of(entries);
        keyspace.attach_keys().map_err(|()| RowError { at: None, expected: "every lease that a key is attached to".into() })?;
        // What was restored is on the disk as it is.
        keyspace.leases.take_touched();
        Ok(keyspace)
    }
}

/// The numbers of the marks by key, then by revision.
///
/// Most keys share a beginning (`/registry/…`), and differ soon after it: those few bytes are compared first, where they lie
/// together.
fn sorted(keys: &[u8], marks: &[Row]) -> Vec<u32> {
    let key = |row: &Row| &keys[row.key..row.key + row.length];
    let first = marks.first().map(key).unwrap_or_default();
    let common = marks
        .iter()
        .map(key)
        .fold(first.len(), |common, key| first[..common].iter().zip(key).take_while(|(a, b)| a == b).count());
    let digits = |row: &Row| {
        let rest = &key(row)[common..];
        let mut digits = [0; 8];
        let count = rest.len().min(8);
        digits[..count].copy_from_slice(&rest[..count]);
        u64::from_be_bytes(digits)
    };
    let mut order: Vec<(u64, u32)> = (0u32..).zip(marks).map(|(number, row)| (digits(row), number)).collect();
    order.sort_unstable_by(|a, b| {
        let by_key = || key(&marks[a.1 as usize]).cmp(key(&marks[b.1 as usize]));
        a.0.cmp(&b.0).then_with(by_key).then(a.1.cmp(&b.1))
    });
    order.into_iter().map(|(_, number)| number).collect()
}

impl<V: Values> Keyspace<V> {
    /// Attaches keys to their leases, and sees whether a compaction has left something to sweep up. For an index that was just made.
    pub(crate) fn attach_keys(&mut self) -> Result<(), ()> {
        let Keyspace { index, leases, compacted, .. } = self;
        let mut unswept = false;
        for (key, history) in index.all() {
            unswept |= !history.is_swept(*compacted);
            if history.lease != 0 {
                if !leases.contains(history.lease) {
                    return Err(());
                }
                leases.attach(history.lease, key.clone());
            }
        }
        self.swept = self.compacted;
        if unswept {
            self.sweep = Some(Sweep::begin(self.compacted));
        }
        Ok(())
    }
}
