//! The changes of a machine: the newest in memory, the rest in a data file.

use super::DataOptions;
use super::error::DataError;
use super::file::{DataFile, Rows, View};
use super::memory::Memory;
use crate::disk::Disk;
use keyspace::{Change, KeyValue, Page, ReadPages, Revision, Unwritten, Values, Want};
use std::cell::OnceCell;
use std::collections::BTreeSet;

/// What one removal takes in memory, about.
const REMOVAL: usize = 32;

/// The changes of a machine. What it has put is in memory until a flush of it is durable, and then for as long as there is room.
///
/// A read that misses memory goes to the file at once. If it fails, that is remembered ([`DataValues::fault`]) and the answer is any.
pub struct DataValues<D: Disk> {
    /// The file as of the last flush that is durable.
    view: View<D>,
    memory: Memory,
    /// Whether a put writes by itself now and then, into a file that is unfinished.
    filling: bool,
    /// The newest change that was handed over.
    taken: Revision,
    /// Changes in the file that are gone, but not yet from there.
    removed: BTreeSet<Revision>,
    /// Those of them that were handed over.
    leaving: BTreeSet<Revision>,
    /// Bytes in the file.
    durable_bytes: u64,
    /// Bytes that were not handed over yet, and that are on their way.
    waiting: usize,
    leaving_bytes: usize,
    /// Bytes of changes that may stay in memory once they are durable.
    keep: usize,
    fault: OnceCell<DataError>,
}

impl<D: Disk> DataValues<D> {
    /// Over a file, all of whose changes come before whatever is put.
    pub(super) fn over(file: &DataFile<D>, newest: Revision, options: DataOptions) -> Result<DataValues<D>, DataError> {
        Ok(DataValues {
            view: file.view()?,
            memory: Memory::after(newest),
            filling: false,
            taken: newest,
            removed: BTreeSet::new(),
            leaving: BTreeSet::new(),
            durable_bytes: file.sums().bytes,
            waiting: 0,
            leaving_bytes: 0,
            keep: options.memory_bytes,
            fault: OnceCell::new(),
        })
    }

    /// Over a file that is being made: what is put is written as soon as it is more than there is room for.
    pub(super) fn filling(file: &DataFile<D>, options: DataOptions) -> Result<DataValues<D>, DataError> {
        let values = DataValues::over(file, Revision::default(), options)?;
        Ok(DataValues { filling: true, ..values })
    }

    /// The file is whole.
    pub(super) fn filled(self) -> DataValues<D> {
        DataValues { filling: false, ..self }
    }

    /// The file.
    pub fn file(&self) -> &DataFile<D> {
        self.view.file()
    }

    /// The first thing that went wrong with the file. What was answered since means nothing.
    pub fn fault(&self) -> Option<&DataError> {
        self.fault.get()
    }

    /// Takes the fault out, to say it.
    pub fn take_fault(&mut self) -> Option<DataError> {
        self.fault.take()
    }

    /// How many bytes wait to be written, on their way or not.
    pub fn unwritten_bytes(&self) -> usize {
        self.waiting + self.leaving_bytes
    }

    /// How many bytes wait to be handed over.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting
    }

    /// What reads pages of the history beside the machine.
    pub fn pages(&self) -> PageReader<D> {
        PageReader { file: self.file().clone() }
    }

    fn note(&self, error: DataError) {
        let _ = self.fault.set(error);
    }

    fn spill(&mut self) {
        let unwritten = self.take_unwritten();
        match self.file().spill(&unwritten) {
            Ok(()) => self.written(),
            Err(error) => self.note(error),
        }
    }
}

impl<D: Disk> Values for DataValues<D> {
    const WRITES_BEHIND: bool = true;

    fn put(&mut self, at: Revision, change: Change) {
        if self.filling && self.fault.get().is_some() {
            // Nobody will want it.
            return;
        }
        self.waiting += self.memory.push(at, change);
        if self.filling && self.waiting > self.keep {
            self.spill();
        }
    }

    fn get(&self, at: Revision) -> Option<Change> {
        if at > self.memory.floor() {
            return self.memory.get(at).cloned();
        }
        match self.view.get(at) {
            Ok(change) => Some(change),
            Err(error) => {
                self.note(error);
                Some(Change::Put(KeyValue::default()))
            }
        }
    }

    fn get_all(&self, ats: &[Revision]) -> Vec<Option<Change>> {
        let missing = ats.iter().filter(|at| **at <= self.memory.floor()).count();
        if missing < MANY {
            return ats.iter().map(|at| self.get(*at)).collect();
        }
        // Keys' order is none to the file: read in its own, so that each page is read once and not once for each row.
        let mut order: Vec<usize> = (0..ats.len()).collect();
        order.sort_unstable_by_key(|number| ats[*number]);
        let mut reader = Reader { view: &self.view, upto: self.memory.floor(), rows: None };
        let mut found: Vec<Option<Change>> = ats.iter().map(|_| None).collect();
        for number in order {
            let at = ats[number];
            found[number] = if at > self.memory.floor() {
                self.memory.get(at).cloned()
            } else {
                let change = reader.get(at);
                Some(change.unwrap_or_else(|error| {
                    self.note(error);
                    Change::Put(KeyValue::default())
                }))
            };
        }
        found
    }

    fn remove(&mut self, at: Revision) {
        if at > self.memory.floor() {
            self.memory.remove(at);
        }
        if at <= self.taken {
            self.removed.insert(at);
            self.waiting += REMOVAL;
        }
    }

    fn scan(&self, from: Revision) -> impl Iterator<Item = (Revision, Change)> {
        let memory = self.memory.range(from.max(after(self.memory.floor()))).map(|(at, change)| (at, change.clone()));
        let rows = if from > self.memory.floor() { None } else { self.rows(from) };
        InFile { values: self, rows }.chain(memory)
    }

    fn page(&self, want: Want) -> Option<Page> {
        if want.from <= self.memory.floor().main {
            return None;
        }
        let changes = self.memory.range(Revision::new(want.from, 0)).map(|(at, change)| Ok::<_, DataError>((at, change.clone())));
        Page::gather(want, changes).ok()
    }

    fn bytes(&self) -> u64 {
        self.durable_bytes + self.unwritten_bytes() as u64
    }

    fn take_unwritten(&mut self) -> Unwritten {
        let changes = self.memory.range(after(self.taken)).map(|(at, change)| (at, change.clone())).collect();
        assert!(self.leaving.is_empty() && self.leaving_bytes == 0, "one flush is on its way at a time");
        self.taken = self.memory.last();
        self.leaving = std::mem::take(&mut self.removed);
        self.leaving_bytes = std::mem::take(&mut self.waiting);
        Unwritten { changes, removed: self.leaving.iter().copied().collect() }
    }

    fn written(&mut self) {
        self.leaving.clear();
        self.leaving_bytes = 0;
        self.durable_bytes = self.file().sums().bytes;
        match self.file().view() {
            Ok(view) => {
                self.view = view;
                self.memory.shrink(self.taken, self.keep);
            }
            Err(error) => self.note(error),
        }
    }
}

impl<D: Disk> DataValues<D> {
    fn rows(&self, from: Revision) -> Option<Rows> {
        self.view.rows(from, self.memory.floor()).map_err(|error| self.note(error)).ok()
    }
}

/// The first revision after `at`.
fn after(at: Revision) -> Revision {
    Revision::new(at.main, at.sub + 1)
}

/// The changes that are in the file and not in memory.
struct InFile<'a, D: Disk> {
    values: &'a DataValues<D>,
    rows: Option<Rows>,
}

impl<D: Disk> Iterator for InFile<'_, D> {
    type Item = (Revision, Change);

    fn next(&mut self) -> Option<(Revision, Change)> {
        let DataValues { view, removed, leaving, .. } = self.values;
        loop {
            let next = view.next(self.rows.as_mut()?)?;
            let change = next.and_then(|(at, row)| {
                let gone = removed.contains(&at) || leaving.contains(&at);
                if gone { Ok(None) } else { view.decode(at, row.value()).map(|change| Some((at, change))) }
            });
            match change {
                Ok(None) => {}
                Ok(found) => return found,
                Err(error) => {
                    self.values.note(error);
                    self.rows = None;
                }
            }
        }
    }
}

/// So many changes are worth reading in the file's own order.
const MANY: usize = 16;

/// So many rows are passed over at most, before the next is looked for anew.
const PASSED: i64 = 32;

/// Reads changes in order, going on from one to the next where they are near each other.
struct Reader<'a, D: Disk> {
    view: &'a View<D>,
    upto: Revision,
    /// Where the last one was, and what follows it.
    rows: Option<(Revision, Rows)>,
}

impl<D: Disk> Reader<'_, D> {
    fn get(&mut self, at: Revision) -> Result<Change, DataError> {
        // Few numbers between two revisions are few rows.
        if let Some((last, mut rows)) = self.rows.take()
            && at.main - last.main <= PASSED
        {
            for _ in 0..PASSED {
                match self.view.next(&mut rows).transpose()? {
                    Some((found, row)) if found == at => {
                        let change = self.view.decode(at, row.value());
                        self.rows = Some((at, rows));
                        return change;
                    }
                    Some((found, _)) if found < at => {}
                    _ => break,
                }
            }
        }
        let mut rows = self.view.rows(at, self.upto)?;
        let change = match self.view.next(&mut rows).transpose()? {
            Some((found, row)) if found == at => self.view.decode(at, row.value()),
            // It says what is missing.
            _ => self.view.get(at),
        };
        self.rows = Some((at, rows));
        change
    }
}

/// Reads pages of the history from the file, on any thread.
pub struct PageReader<D: Disk> {
    file: DataFile<D>,
}

impl<D: Disk> Clone for PageReader<D> {
    fn clone(&self) -> PageReader<D> {
        PageReader { file: self.file.clone() }
    }
}

impl<D: Disk> ReadPages for PageReader<D> {
    type Error = DataError;

    fn read(&self, want: Want) -> Result<Page, DataError> {
        let view = self.file.view()?;
        let (_, head) = view.head()?;
        let upto = want.upto.min(head.revision).max(want.from);
        let mut rows = view.rows(Revision::new(want.from, 0), Revision::new(upto, i64::MAX))?;
        let changes = std::iter::from_fn(|| {
            let next = view.next(&mut rows)?;
            Some(next.and_then(|(at, row)| Ok((at, view.decode(at, row.value())?))))
        });
        Page::gather(Want { upto, ..want }, changes)
    }
}
