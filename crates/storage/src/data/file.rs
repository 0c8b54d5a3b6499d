//! The data file: redb, with every page checked.
//!
//! ```text
//!   changes   revision → the change             main and sub as one 128-bit number, so that order is that of revisions
//!   marks     revision → what the index needs   so that a start reads no values; many to a row ([`marks`])
//!   leases    id → terms
//!   rest      "head" → everything small         without it the file is unfinished
//!             "sums" → how many changes, and how long they and the leases are as a snapshot
//!             "received"        in a file that was made of a snapshot, until its first flush: the log may not know of it yet
//! ```
//!
//! What the rows look like is the keyspace's ([`keyspace::row`]).
//!
//! Each flush is one transaction, in two phases and with what redb needs to open the file at once after a crash (its "quick
//! repair"). So the file always holds the machine of one moment, and says of which.

use super::DataOptions;
use super::error::DataError;
use super::marks;
use super::pages::{FORMAT, Pages, Unreadable};
use crate::disk::{Disk, fault};
use crate::fault::Action;
use crate::identity::Identity;
use bytes::Bytes;
use consensus::Position;
use keyspace::{Flush, Head, Revision, Unwritten, row};
use redb::{
    Builder, Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction,
};
use std::sync::{Arc, Mutex};

const CHANGES: TableDefinition<'static, u128, &'static [u8]> = TableDefinition::new("changes");
const MARKS: TableDefinition<'static, u128, &'static [u8]> = TableDefinition::new("marks");
const LEASES: TableDefinition<'static, i64, &'static [u8]> = TableDefinition::new("leases");
const REST: TableDefinition<'static, &'static str, &'static [u8]> = TableDefinition::new("rest");
const HEAD: &str = "head";
const SUMS: &str = "sums";
const RECEIVED: &str = "received";

/// A data file. Clones are the same file; any thread may read, one at a time writes. Closing it writes nothing: what was flushed is
/// there, and what was not is in the log.
pub struct DataFile<D: Disk>(Arc<Inner<D>>);

struct Inner<D: Disk> {
    disk: D,
    path: Mutex<String>,
    database: Database,
    pages: Pages<D::File>,
    sums: Mutex<Sums>,
}

/// Proof that everything up to a position is durable in a data file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DurableData {
    position: Position,
}

impl DurableData {
    /// The last entry whose effect is durable.
    pub fn position(&self) -> Position {
        self.position
    }
}

/// How much there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sums {
    /// How many changes.
    pub(super) changes: u64,
    /// How long changes and leases are as frames of a snapshot.
    pub(super) bytes: u64,
}

impl Sums {
    fn encode(self) -> [u8; 16] {
        (u128::from(self.changes) << 64 | u128::from(self.bytes)).to_be_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<Sums> {
        let both = u128::from_be_bytes(bytes.try_into().ok()?);
        Some(Sums { changes: (both >> 64) as u64, bytes: both as u64 })
    }
}

impl<D: Disk> Clone for DataFile<D> {
    fn clone(&self) -> DataFile<D> {
        DataFile(Arc::clone(&self.0))
    }
}

impl<D: Disk> Drop for Inner<D> {
    fn drop(&mut self) {
        // redb would tidy up now. A process that ends may have lost the right to the file, and one that crashes does not tidy.
        self.pages.abandon();
    }
}

impl<D: Disk> DataFile<D> {
    /// Makes a file without rows where there is none. It is unfinished until the first flush.
    pub(super) fn create(disk: &D, identity: Identity, path: &str, options: DataOptions) -> Result<DataFile<D>, DataError> {
        let file = disk.create(path).map_err(fault(disk, Action::Create, path))?;
        let data = DataFile::over(disk, path, Pages::create(file, identity), options)?;
        data.try_to(|| {
            let transaction = data.0.database.begin_write()?;
            drop(Tables::open(&transaction)?);
            Ok(transaction.commit()?)
        })?;
        Ok(data)
    }

    /// Opens a file.
    pub(super) fn open(disk: &D, identity: Identity, path: &str, options: DataOptions) -> Result<DataFile<D>, DataError> {
        let file = disk.open(path).map_err(fault(disk, Action::Open, path))?;
        let pages = Pages::open(file, identity).map_err(|unreadable| {
            let file = disk.describe(path);
            match unreadable {
                Unreadable::Failure(failure) => DataError::of(file, failure),
                Unreadable::Version(found) => DataError::Version { file, found, known: FORMAT },
            }
        })?;
        let data = DataFile::over(disk, path, pages, options)?;
        let sums = data.view()?.rest(SUMS)?;
        let sums = sums.and_then(|sums| Sums::decode(&sums)).ok_or_else(|| data.senseless("a sum of everything"))?;
        *data.0.sums.lock().expect("sums are only copied") = sums;
        Ok(data)
    }

    fn over(disk: &D, path: &str, pages: Pages<D::File>, options: DataOptions) -> Result<DataFile<D>, DataError> {
        let database = Builder::new().set_cache_size(options.cache_bytes).create_with_backend(pages.clone());
        let database = database.map_err(|error| trouble(&pages, disk.describe(path), &error.into()))?;
        let (disk, path) = (disk.clone(), Mutex::new(path.to_owned()));
        Ok(DataFile(Arc::new(Inner { disk, path, database, pages, sums: Mutex::default() })))
    }

    /// Writes what changed, durably.
    pub fn write(&self, flush: &Flush) -> Result<DurableData, DataError> {
        self.write_whole(flush, false)
    }

    /// Writes what is left of a snapshot that the file was made of, durably.
    pub(super) fn complete(&self, flush: &Flush) -> Result<DurableData, DataError> {
        self.write_whole(flush, true)
    }

    /// Whether nothing was written since the file was made of a snapshot.
    pub(super) fn is_received(&self) -> Result<bool, DataError> {
        Ok(self.view()?.rest(RECEIVED)?.is_some())
    }

    fn write_whole(&self, flush: &Flush, received: bool) -> Result<DurableData, DataError> {
        self.change(true, |tables, sums| {
            tables.write(&flush.changes, &flush.removed, sums)?;
            for (id, terms) in &flush.leases {
                let before = match terms {
                    Some(terms) => tables.leases.insert(id, &terms[..])?,
                    None => tables.leases.remove(id)?,
                };
                sums.bytes -= before.map_or(0, |before| row::lease_frame_bytes(before.value()));
                sums.bytes += terms.as_ref().map_or(0, |terms| row::lease_frame_bytes(terms));
            }
            tables.rest.insert(HEAD, &flush.head[..])?;
            if received {
                tables.rest.insert(RECEIVED, &[][..])?;
            } else {
                tables.rest.remove(RECEIVED)?;
            }
            Ok(())
        })?;
        Ok(DurableData { position: flush.applied })
    }

    /// Writes changes into a file that is unfinished.
    pub(super) fn spill(&self, Unwritten { changes, removed }: &Unwritten) -> Result<(), DataError> {
        self.change(false, |tables, sums| tables.write(changes, removed, sums))
    }

    fn change(
        &self,
        whole: bool,
        work: impl FnOnce(&mut Tables<'_>, &mut Sums) -> Result<(), redb::Error>,
    ) -> Result<(), DataError> {
        let mut sums = self.sums();
        self.try_to(|| {
            let mut transaction = self.0.database.begin_write()?;
            transaction.set_quick_repair(whole);
            let mut tables = Tables::open(&transaction)?;
            work(&mut tables, &mut sums)?;
            tables.rest.insert(SUMS, &sums.encode()[..])?;
            drop(tables);
            Ok(transaction.commit()?)
        })?;
        *self.0.sums.lock().expect("sums are only copied") = sums;
        Ok(())
    }

    /// The file as it is now, whatever is written later.
    pub(super) fn view(&self) -> Result<View<D>, DataError> {
        let transaction = self.try_to(|| Ok(self.0.database.begin_read()?))?;
        let changes = self.try_to(|| Ok(transaction.open_table(CHANGES)?))?;
        Ok(View { file: self.clone(), transaction, changes })
    }

    pub(super) fn sums(&self) -> Sums {
        *self.0.sums.lock().expect("sums are only copied")
    }

    pub(super) fn disk(&self) -> &D {
        &self.0.disk
    }

    pub(super) fn path(&self) -> String {
        self.0.path.lock().expect("a path is only copied").clone()
    }

    /// The file was renamed.
    pub(super) fn set_path(&self, path: &str) {
        path.clone_into(&mut self.0.path.lock().expect("a path is only copied"));
    }

    pub(super) fn describe(&self) -> String {
        self.0.disk.describe(&self.path())
    }

    pub(super) fn senseless(&self, expected: &str) -> DataError {
        let error = keyspace::RowError { at: None, expected: expected.to_owned() };
        DataError::Senseless { file: self.describe(), error }
    }

    /// Does something with redb, and says in our words what went wrong.
    fn try_to<T>(&self, work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, DataError> {
        work().map_err(|error| trouble(&self.0.pages, self.describe(), &error))
    }
}

/// What went wrong beneath redb, if something did, or else what it says.
fn trouble<F: crate::DiskFile>(pages: &Pages<F>, file: String, error: &redb::Error) -> DataError {
    match pages.failure() {
        Some(failure) => DataError::of(file, failure),
        None => DataError::Engine { file, why: error.to_string() },
    }
}

/// The tables, to write to.
struct Tables<'t> {
    changes: Table<'t, u128, &'static [u8]>,
    marks: Table<'t, u128, &'static [u8]>,
    leases: Table<'t, i64, &'static [u8]>,
    rest: Table<'t, &'static str, &'static [u8]>,
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Tables<'t>, redb::Error> {
        Ok(Tables {
            changes: transaction.open_table(CHANGES)?,
            marks: transaction.open_table(MARKS)?,
            leases: transaction.open_table(LEASES)?,
            rest: transaction.open_table(REST)?,
        })
    }

    fn write(
        &mut self,
        changes: &[(Revision, keyspace::Change)],
        removed: &[Revision],
        sums: &mut Sums,
    ) -> Result<(), redb::Error> {
        let mut row = Vec::new();
        let mut marks = marks::Row::default();
        for (at, change) in changes {
            row.clear();
            row::encode_change(change, &mut row);
            self.changes.insert(number(*at), &row[..])?;
            sums.changes += 1;
            sums.bytes += row::change_frame_bytes(&row);
            marks.push(*at, change);
            if marks.is_full() {
                self.put_marks(&mut marks)?;
            }
        }
        self.put_marks(&mut marks)?;
        for at in removed {
            if let Some(gone) = self.changes.remove(number(*at))? {
                sums.changes -= 1;
                sums.bytes -= row::change_frame_bytes(gone.value());
            }
        }
        self.remove_marks(removed)
    }

    fn put_marks(&mut self, marks: &mut marks::Row) -> Result<(), redb::Error> {
        let mut result = Ok(());
        marks.take(|first, bytes| result = self.marks.insert(number(first), bytes).map(drop));
        Ok(result?)
    }

    /// Takes marks out of their rows. What is not there need not go, and a row that cannot be understood stays, for the next start to
    /// complain of.
    fn remove_marks(&mut self, mut removed: &[Revision]) -> Result<(), redb::Error> {
        while let Some(&at) = removed.first() {
            let found = self.marks.range(..=number(at))?.next_back().transpose()?;
            let left = found.and_then(|(first, row)| {
                let first = revision(first.value());
                Some((first, marks::without(first, row.value(), removed)?))
            });
            let Some((first, (mut left, done))) = left else {
                removed = &removed[1..];
                continue;
            };
            if done > 0 {
                self.marks.remove(number(first))?;
                self.put_marks(&mut left)?;
            }
            removed = &removed[done.max(1)..];
        }
        Ok(())
    }
}

/// A file at one moment. As long as it is held, redb keeps that moment's pages.
pub(super) struct View<D: Disk> {
    file: DataFile<D>,
    transaction: ReadTransaction,
    changes: ReadOnlyTable<u128, &'static [u8]>,
}

/// Rows in order.
pub(super) type Rows = redb::Range<'static, u128, &'static [u8]>;

impl<D: Disk> View<D> {
    pub(super) fn file(&self) -> &DataFile<D> {
        &self.file
    }

    /// The change at `at`.
    pub(super) fn get(&self, at: Revision) -> Result<keyspace::Change, DataError> {
        let found = self.file.try_to(|| Ok(self.changes.get(number(at))?));
        let found = found.map_err(|source| DataError::Unreadable { at, source: Box::new(source) })?;
        let found = found.ok_or_else(|| DataError::Missing { file: self.file.describe(), at })?;
        self.decode(at, found.value())
    }

    pub(super) fn decode(&self, at: Revision, bytes: &[u8]) -> Result<keyspace::Change, DataError> {
        row::decode_change(at, Bytes::copy_from_slice(bytes)).ok_or_else(|| {
            let error = keyspace::RowError { at: Some(at), expected: "a change".to_owned() };
            DataError::Senseless { file: self.file.describe(), error }
        })
    }

    /// All changes from `from` up to `upto`, as rows.
    pub(super) fn rows(&self, from: Revision, upto: Revision) -> Result<Rows, DataError> {
        if from > upto {
            // An empty range; redb takes no other.
            return self.file.try_to(|| Ok(self.changes.range(0..0)?));
        }
        self.file.try_to(|| Ok(self.changes.range(number(from)..=number(upto))?))
    }

    /// The next row.
    pub(super) fn next(&self, rows: &mut Rows) -> Option<Result<Row, DataError>> {
        let next = self.file.try_to(|| Ok(rows.next().transpose()?)).transpose()?;
        Some(next.map(|(at, row)| (revision(at.value()), row)))
    }

    /// Shows every mark to `each`, in order.
    pub(super) fn marks(
        &self,
        mut each: impl FnMut(Revision, &[u8]) -> Result<(), keyspace::RowError>,
    ) -> Result<u64, DataError> {
        let marks = self.file.try_to(|| Ok(self.transaction.open_table(MARKS)?))?;
        let mut rows = self.file.try_to(|| Ok(marks.range::<u128>(..)?))?;
        let mut count = 0;
        while let Some((first, row)) = self.file.try_to(|| Ok(rows.next().transpose()?))? {
            for mark in marks::each(revision(first.value()), row.value()) {
                let (at, mark) = mark.ok_or_else(|| self.file.senseless("marks"))?;
                each(at, mark).map_err(|error| DataError::Senseless { file: self.file.describe(), error })?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Shows every lease to `each`, in order.
    pub(super) fn leases(&self, mut each: impl FnMut(i64, &[u8])) -> Result<(), DataError> {
        let leases = self.file.try_to(|| Ok(self.transaction.open_table(LEASES)?))?;
        let mut rows = self.file.try_to(|| Ok(leases.range::<i64>(..)?))?;
        while let Some((id, row)) = self.file.try_to(|| Ok(rows.next().transpose()?))? {
            each(id.value(), row.value());
        }
        Ok(())
    }

    /// Everything small.
    pub(super) fn head(&self) -> Result<(Bytes, Head), DataError> {
        let bytes = self.rest(HEAD)?.ok_or_else(|| self.file.senseless("a head"))?;
        let head =
            Head::decode(&bytes).map_err(|error| DataError::Senseless { file: self.file.describe(), error: error.into() })?;
        Ok((bytes, head))
    }

    pub(super) fn sums(&self) -> Result<Sums, DataError> {
        let sums = self.rest(SUMS)?.and_then(|sums| Sums::decode(&sums));
        sums.ok_or_else(|| self.file.senseless("a sum of everything"))
    }

    fn rest(&self, name: &str) -> Result<Option<Bytes>, DataError> {
        self.file.try_to(|| {
            let rest = self.transaction.open_table(REST)?;
            let found = rest.get(name)?;
            Ok(found.map(|found| Bytes::copy_from_slice(found.value())))
        })
    }
}

/// A row and the revision of its change.
pub(super) type Row = (Revision, redb::AccessGuard<'static, &'static [u8]>);

/// In the order of revisions. There are no negative ones, but clients may ask for what happened from one on.
fn number(at: Revision) -> u128 {
    u128::from(at.main.max(0) as u64) << 64 | u128::from(at.sub as u64)
}

fn revision(number: u128) -> Revision {
    Revision::new((number >> 64) as i64, number as i64)
}
