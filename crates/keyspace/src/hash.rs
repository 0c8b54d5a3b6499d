//! HashKV: the checksum by which etcd's members find out whether they hold the same history.
//!
//! CRC-32C over `key`, then for every change up to the revision asked for, in order, what etcd has in its file: the revision
//! (8 bytes main, `_`, 8 bytes sub, and `t` if it is a deletion) and the mvccpb.KeyValue. Left out are, below the last compaction,
//! changes that are not the newest of their key at the revision asked for (unless no key exists there), and deletions exactly at
//! the compaction, which members before 3.5.16 do not keep.
//!
//! It reads the whole history, so it is taken in steps: a [`Hashing`] remembers where it is, and while it lasts nothing is swept
//! up that it counts.
//!
//! ```text
//!   begin ──▶ does any key exist at that revision? ──▶ the rows, in order ──▶ checksum
//! ```
//!
//! A compaction takes one, too, as etcd's does: of all up to its revision, as of the compaction *before* it, since afterwards that
//! cannot be had any more. The newest of them are remembered, and are the answer when just that revision is asked for (etcd:
//! hashStorage), so that members compare each compaction for the price of taking it.
//!
//! etcd has an older checksum, Hash, of all that is in its file: there the changes are one bucket of several, with all rows that
//! compactions left. What stands before and behind them the caller knows ([`Keyspace::begin_whole_hash`]).

mod row;

use crate::checksum::Checksum;
use crate::{Change, HashKv, KeyRange, Keyspace, KeyspaceError, Revision, Values};
use alloc::vec::Vec;
use bytes::Bytes;
use row::encode;

/// How many checksums of compactions are remembered (etcd: hashStorageMaxSize).
const KEPT: usize = 10;
/// A row of so many bytes is one of a budget, a larger one is more.
const ROW_BYTES: usize = 1024;

/// A checksum in progress.
#[derive(Debug)]
pub struct Hashing {
    /// Names it among what holds the sweep back; `None` if it is taken in one go.
    pin: Option<u64>,
    /// The newest revision when it began.
    revision: i64,
    /// The compaction from which on it is taken.
    compacted: i64,
    /// The revision up to which it is taken.
    upto: i64,
    of: Of,
    stage: Stage,
    /// A deletion exactly at the end was all that was left.
    only_deletion: bool,
    checksum: Checksum,
}

/// The checksum of a compaction.
#[derive(Debug)]
pub(crate) struct CompactionHash {
    hash: HashKv,
    /// A member that has not come to the compaction yet, and is asked for the same revision, has another if only a deletion was left.
    comparable: bool,
}

/// What a checksum is taken of.
#[derive(Debug)]
enum Of {
    /// The history, as somebody asked for it.
    History,
    /// The history, by a compaction. Of those etcd takes a deletion exactly at the end for something that is left.
    Compaction,
    /// Everything; what stands behind the history.
    Whole(Vec<u8>),
}

/// What comes next.
#[derive(Debug)]
enum Stage {
    /// To look, from this key on, whether any exists at that revision.
    Exists(Bytes),
    /// The rows from here on, and whether any key exists.
    Rows(Revision, bool),
    /// Nothing: it is known.
    Known(HashKv),
}

impl<V: Values> Keyspace<V> {
    /// Begins to take the checksum of the history up to a revision; 0: now. To be ended by [`Keyspace::end_hash`].
    pub fn begin_hash(&mut self, asked: i64) -> Result<Hashing, KeyspaceError> {
        let mut hashing = match self.hashes.iter().find(|known| known.hash.hash_revision == asked) {
            Some(known) => self.known(known.hash),
            None => self.hashing(asked)?,
        };
        hashing.pin = Some(self.pin(hashing.compacted));
        Ok(hashing)
    }

    /// Begins to take the checksum of everything as of now: of `before`, of all rows that the last compaction leaves, of `behind`. To be
    /// ended by [`Keyspace::end_hash`].
    pub fn begin_whole_hash(&mut self, before: &[u8], behind: Vec<u8>) -> Hashing {
        let mut checksum = Checksum::new();
        checksum.update(before);
        checksum.update(b"key");
        Hashing {
            pin: Some(self.pin(self.compacted)),
            revision: self.revision,
            compacted: self.compacted,
            upto: self.revision,
            of: Of::Whole(behind),
            stage: Stage::Rows(Revision::default(), true),
            only_deletion: false,
            checksum,
        }
    }

    /// Goes on for about so many keys or rows. Returns the checksum when it is complete.
    pub fn hash_step(&self, hashing: &mut Hashing, mut budget: usize) -> Option<HashKv> {
        self.hash_on(hashing, &mut budget)
    }

    /// Ends what [`Keyspace::begin_hash`] began, complete or not.
    pub fn end_hash(&mut self, hashing: Hashing) {
        if let Some(pin) = hashing.pin {
            self.pins.remove(&pin);
        }
    }

    /// Takes the checksum in one go. What compactions left behind is not looked at: this depends on nothing but the log.
    pub(crate) fn hash_kv(&self, asked: i64) -> Result<HashKv, KeyspaceError> {
        let mut hashing = self.hashing(asked)?;
        Ok(self.hash_on(&mut hashing, &mut usize::MAX.clone()).expect("there is nothing that it could not do within its budget"))
    }

    fn hashing(&self, asked: i64) -> Result<Hashing, KeyspaceError> {
        if asked > 0 && asked < self.compacted {
            return Err(KeyspaceError::Compacted);
        }
        if asked > self.revision {
            return Err(KeyspaceError::FutureRevision);
        }
        let upto = if asked == 0 { self.revision } else { asked };
        Ok(Hashing {
            pin: None,
            revision: self.revision,
            compacted: self.compacted,
            upto,
            of: Of::History,
            stage: Stage::Exists(Bytes::new()),
            only_deletion: false,
            checksum: Checksum::new(),
        })
    }

    fn known(&self, known: HashKv) -> Hashing {
        let known = HashKv { revision: self.revision, ..known };
        Hashing {
            pin: None,
            revision: self.revision,
            compacted: self.compacted,
            upto: known.hash_revision,
            of: Of::Compaction,
            stage: Stage::Known(known),
            only_deletion: false,
            checksum: Checksum::new(),
        }
    }

    /// Begins the checksum of a compaction that follows the one at `previous`.
    pub(crate) fn begin_compaction_hash(&mut self, previous: i64, upto: i64) -> Hashing {
        Hashing {
            pin: Some(self.pin(previous)),
            revision: self.revision,
            compacted: previous,
            upto,
            of: Of::Compaction,
            stage: Stage::Exists(Bytes::new()),
            only_deletion: false,
            checksum: Checksum::new(),
        }
    }

    /// Ends the checksum of a compaction, and remembers it in place of the oldest.
    pub(crate) fn end_compaction_hash(&mut self, hashing: Hashing, hash: HashKv) {
        if self.hashes.len() == KEPT {
            self.hashes.pop_front();
        }
        self.hashes.push_back(CompactionHash { hash, comparable: !hashing.only_deletion });
        self.end_hash(hashing);
    }

    /// The checksums of compactions that every member has that is asked for them, before it comes to the compaction and after.
    pub(crate) fn comparable_hashes(&self) -> Vec<HashKv> {
        self.hashes.iter().filter(|known| known.comparable).map(|known| known.hash).collect()
    }

    fn pin(&mut self, compacted: i64) -> u64 {
        let pin = self.next_pin;
        self.next_pin += 1;
        self.pins.insert(pin, compacted);
        pin
    }

    pub(crate) fn hash_on(&self, hashing: &mut Hashing, budget: &mut usize) -> Option<HashKv> {
        if let Stage::Exists(from) = &hashing.stage {
            let from = from.clone();
            let (next, exists) = self.exists(hashing, &from, budget);
            hashing.checksum.update(b"key");
            hashing.stage = match next {
                None => Stage::Rows(Revision::default(), exists),
                Some(next) => {
                    hashing.checksum = Checksum::new();
                    hashing.stage = Stage::Exists(next);
                    return None;
                }
            };
        }
        if let Stage::Rows(from, exists) = hashing.stage {
            match self.rows(hashing, from, exists, budget) {
                Some(next) => hashing.stage = Stage::Rows(next, exists),
                None => {
                    if let Of::Whole(behind) = &hashing.of {
                        hashing.checksum.update(behind);
                    }
                    hashing.stage = Stage::Known(HashKv {
                        revision: hashing.revision,
                        hash: hashing.checksum.value(),
                        compact_revision: hashing.compacted,
                        hash_revision: hashing.upto,
                    });
                }
            }
        }
        match hashing.stage {
            Stage::Known(known) => Some(known),
            Stage::Exists(_) | Stage::Rows(..) => None,
        }
    }

    /// Whether etcd would keep any change at or before the revision, and the key to look on from if that is not known yet.
    fn exists(&self, hashing: &mut Hashing, from: &Bytes, budget: &mut usize) -> (Option<Bytes>, bool) {
        let upto = hashing.upto;
        for (key, history) in self.index.range(KeyRange::Span(from, None)) {
            if *budget == 0 {
                return (Some(key.clone()), false);
            }
            *budget -= 1;
            if history.hashed(upto).is_some() {
                hashing.only_deletion = false;
                return (None, true);
            }
            let ends_there = || history.newest_upto(upto).is_some_and(|mark| mark.is_deletion() && mark.at.main == upto);
            hashing.only_deletion |= matches!(hashing.of, Of::Compaction) && ends_there();
        }
        (None, hashing.only_deletion)
    }

    /// Takes in rows until the budget is spent; returns where to go on.
    fn rows(&self, hashing: &mut Hashing, from: Revision, exists: bool, budget: &mut usize) -> Option<Revision> {
        let mut row = Vec::new();
        for (at, change) in self.values.scan(from).take_while(|(at, _)| at.main <= hashing.upto) {
            if *budget == 0 {
                return Some(at);
            }
            *budget -= 1;
            if at.main <= hashing.compacted && !self.is_hashed(hashing, at, &change, exists) {
                continue;
            }
            row.clear();
            encode(at, &change, &mut row);
            hashing.checksum.update(&row);
            *budget = budget.saturating_sub(row.len() / ROW_BYTES);
        }
        None
    }

    /// Whether a change at or below the compaction counts.
    fn is_hashed(&self, hashing: &Hashing, at: Revision, change: &Change, exists: bool) -> bool {
        let Some(history) = self.index.history(change.key()) else { return false };
        if matches!(hashing.of, Of::Whole(_)) {
            return history.needs(at, hashing.compacted);
        }
        let deleted_there = at.main == hashing.compacted && matches!(change, Change::Delete { .. });
        if exists {
            history.hashed(hashing.upto).is_some_and(|mark| mark.at == at)
        } else {
            history.needs(at, hashing.compacted) && !deleted_there
        }
    }
}
