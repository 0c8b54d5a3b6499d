//! Checked pages: what lies between redb and the disk, so that redb never sees a damaged byte.
//!
//! redb trusts what it reads: a page that rotted may send it anywhere, or make it give a wrong answer. So each of its pages carries a
//! checksum of ours, and its header goes into one sector of ours, which a power failure leaves as it was or as it should be.
//!
//! ```text
//!   page 0       superblock, in the first sector:  magic 8 │ format u32 │ redb's length u64 │ … │ redb's header 320 │ … │ CRC-32C u32
//!   page 1       checksums of the next 1024 pages, u32 each; 0: never written
//!   pages 2 …    redb's pages 1 … 1024
//!   page 1026    checksums of the 1024 after those, and so on
//! ```
//!
//! A checksum is the CRC-32C of the page, seeded with the member's identity and the page's number, so that a page of another place or
//! of another member is not taken for this one. Checksums are written with the pages before each sync. redb never writes over a
//! page that a durable commit refers to (and commits in two phases, see [`super::file`]); what a power failure leaves of others, and of
//! their checksums, is never read. A sector of checksums holds those of pages that did not change as they were.
//!
//! The length that redb sets is kept in the superblock. The file itself only grows.

use crate::disk::DiskFile;
use crate::fault::Action;
use crate::identity::Identity;
use redb::StorageBackend;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

const PAGE: usize = 4096;
const SECTOR: usize = 512;
/// How many checksums a page of them holds.
const GROUP: u64 = (PAGE / 4) as u64;
/// How many checksums a sector of them holds.
const SECTOR_SUMS: usize = SECTOR / 4;

const MAGIC: &[u8; 8] = b"QUORDAT\n";
/// The only format so far.
pub(super) const FORMAT: u32 = 1;
/// redb's header: two commit slots of 128 bytes after 64 bytes.
const HEADER: usize = 320;
const HEADER_AT: usize = 32;
const SUM_AT: usize = SECTOR - 4;

/// The pages of a file. Clones are the same pages.
pub(super) struct Pages<F>(Arc<Shared<F>>);

struct Shared<F> {
    file: F,
    /// CRC-32C of the identity, with which every checksum begins.
    seed: u32,
    state: Mutex<State>,
    abandoned: AtomicBool,
}

struct State {
    length: u64,
    header: [u8; HEADER],
    /// The checksums of each group of pages, once they were needed.
    groups: Vec<Option<Box<[u32; GROUP as usize]>>>,
    /// Sectors of checksums that are to be written: the group, and which of its sectors.
    dirty: BTreeSet<(usize, usize)>,
    failure: Option<Failure>,
}

/// The first thing that went wrong. Nothing is done after it.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The disk failed.
    Fault { action: Action, kind: io::ErrorKind, text: String },
    /// A page is not what was written: at this byte of the file.
    Damaged(u64),
}

/// Why a file cannot be opened.
pub(super) enum Unreadable {
    Failure(Failure),
    Version(u32),
}

impl<F> Clone for Pages<F> {
    fn clone(&self) -> Pages<F> {
        Pages(Arc::clone(&self.0))
    }
}

impl<F> fmt::Debug for Pages<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pages")
    }
}

impl<F: DiskFile> Pages<F> {
    /// Pages in a file that is empty.
    pub(super) fn create(file: F, identity: Identity) -> Pages<F> {
        Pages::new(file, identity, 0, [0; HEADER])
    }

    /// The pages that a file holds.
    pub(super) fn open(file: F, identity: Identity) -> Result<Pages<F>, Unreadable> {
        let mut sector = [0; SECTOR];
        let count = file.read_at(0, &mut sector).map_err(|error| Unreadable::Failure(Failure::of(Action::Read, &error)))?;
        let pages = Pages::new(file, identity, 0, [0; HEADER]);
        let number = |at: usize| u32::from_le_bytes(sector[at..at + 4].try_into().expect("four bytes"));
        let sound = count == SECTOR && number(SUM_AT) == crc32c::crc32c_append(pages.0.seed, &sector[..SUM_AT]);
        if !sound || sector[..8] != MAGIC[..] {
            return Err(Unreadable::Failure(Failure::Damaged(0)));
        }
        if number(8) != FORMAT {
            return Err(Unreadable::Version(number(8)));
        }
        let mut state = pages.state();
        state.length = u64::from_le_bytes(sector[12..20].try_into().expect("eight bytes"));
        state.header.copy_from_slice(&sector[HEADER_AT..HEADER_AT + HEADER]);
        drop(state);
        Ok(pages)
    }

    fn new(file: F, identity: Identity, length: u64, header: [u8; HEADER]) -> Pages<F> {
        let state = State { length, header, groups: Vec::new(), dirty: BTreeSet::new(), failure: None };
        let seed = crc32c::crc32c(&identity.0);
        Pages(Arc::new(Shared { file, seed, state: Mutex::new(state), abandoned: AtomicBool::new(false) }))
    }

    /// From now on nothing reaches the disk any more.
    pub(super) fn abandon(&self) {
        self.0.abandoned.store(true, Ordering::Release);
    }

    /// The first thing that went wrong.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.state().failure.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nobody panics while holding the pages")
    }

    /// Does something, unless something went wrong before, and remembers if it does now.
    fn unless_failed<T>(&self, work: impl FnOnce(&Self) -> Result<T, Failure>) -> io::Result<T> {
        if self.0.abandoned.load(Ordering::Acquire) {
            return Err(io::Error::other("the file is closed"));
        }
        if let Some(failure) = &self.state().failure {
            return Err(failure.error());
        }
        work(self).map_err(|failure| {
            let error = failure.error();
            self.state().failure.get_or_insert(failure);
            error
        })
    }

    fn sum(&self, page: u64, bytes: &[u8]) -> u32 {
        let seed = crc32c::crc32c_append(self.0.seed, &page.to_le_bytes());
        // 0 says that a page was never written.
        crc32c::crc32c_append(seed, bytes).max(1)
    }

    fn read_pages(&self, mut page: u64, mut out: &mut [u8]) -> Result<(), Failure> {
        while !out.is_empty() {
            let (group, slot) = place(page);
            let count = (out.len() / PAGE).min(GROUP as usize - slot);
            let (run, rest) = out.split_at_mut(count * PAGE);
            let offset = offset_of(page);
            let sums: Vec<u32> = self.group(&mut self.state(), group)?[slot..slot + count].to_vec();
            let read = self.0.file.read_at(offset, run).map_err(|error| Failure::of(Action::Read, &error))?;
            for ((number, bytes), sum) in (page..).zip(run.chunks(PAGE)).zip(sums) {
                let end = (number - page + 1) as usize * PAGE;
                if read < end || self.sum(number, bytes) != sum {
                    return Err(Failure::Damaged(offset_of(number)));
                }
            }
            page += count as u64;
            out = rest;
        }
        Ok(())
    }

    fn write_pages(&self, mut page: u64, mut data: &[u8]) -> Result<(), Failure> {
        while !data.is_empty() {
            let (group, slot) = place(page);
            let count = (data.len() / PAGE).min(GROUP as usize - slot);
            let (run, rest) = data.split_at(count * PAGE);
            self.0.file.write_at(offset_of(page), run).map_err(|error| Failure::of(Action::Write, &error))?;
            let sums: Vec<u32> = (page..).zip(run.chunks(PAGE)).map(|(number, bytes)| self.sum(number, bytes)).collect();
            let mut state = self.state();
            self.group(&mut state, group)?[slot..slot + count].copy_from_slice(&sums);
            let sectors = slot / SECTOR_SUMS..=(slot + count - 1) / SECTOR_SUMS;
            state.dirty.extend(sectors.map(|sector| (group, sector)));
            page += count as u64;
            data = rest;
        }
        Ok(())
    }

    /// The checksums of a group, read if they were not yet.
    fn group<'a>(&self, state: &'a mut State, group: usize) -> Result<&'a mut [u32; GROUP as usize], Failure> {
        if state.groups.len() <= group {
            state.groups.resize_with(group + 1, || None);
        }
        let place = &mut state.groups[group];
        if place.is_none() {
            let mut bytes = [0; PAGE];
            self.0.file.read_at(sums_of(group), &mut bytes).map_err(|error| Failure::of(Action::Read, &error))?;
            let mut sums = Box::new([0; GROUP as usize]);
            for (sum, bytes) in sums.iter_mut().zip(bytes.chunks(4)) {
                *sum = u32::from_le_bytes(bytes.try_into().expect("four bytes"));
            }
            *place = Some(sums);
        }
        Ok(place.as_mut().expect("read a moment ago"))
    }

    fn write_superblock(&self, state: &State) -> Result<(), Failure> {
        let mut sector = [0; SECTOR];
        sector[..8].copy_from_slice(MAGIC);
        sector[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        sector[12..20].copy_from_slice(&state.length.to_le_bytes());
        sector[HEADER_AT..HEADER_AT + HEADER].copy_from_slice(&state.header);
        let sum = crc32c::crc32c_append(self.0.seed, &sector[..SUM_AT]);
        sector[SUM_AT..].copy_from_slice(&sum.to_le_bytes());
        self.0.file.write_at(0, &sector).map_err(|error| Failure::of(Action::Write, &error))
    }

    fn write_sums(&self, state: &mut State) -> Result<(), Failure> {
        for (group, sector) in std::mem::take(&mut state.dirty) {
            let sums = self.group(state, group)?;
            let mut bytes = [0; SECTOR];
            for (bytes, sum) in bytes.chunks_mut(4).zip(&sums[sector * SECTOR_SUMS..]) {
                bytes.copy_from_slice(&sum.to_le_bytes());
            }
            let offset = sums_of(group) + (sector * SECTOR) as u64;
            self.0.file.write_at(offset, &bytes).map_err(|error| Failure::of(Action::Write, &error))?;
        }
        Ok(())
    }

    /// Pages from `page` on are as if they had never been written.
    fn forget(&self, state: &mut State, page: u64, end: u64) -> Result<(), Failure> {
        for page in page..end {
            let (group, slot) = place(page);
            let sum = &mut self.group(state, group)?[slot];
            if std::mem::take(sum) != 0 {
                state.dirty.insert((group, slot / SECTOR_SUMS));
            }
        }
        Ok(())
    }
}

/// The group of one of redb's pages, and its number there. Not of page 0, which is the superblock's.
fn place(page: u64) -> (usize, usize) {
    let number = page - 1;
    ((number / GROUP) as usize, (number % GROUP) as usize)
}

fn offset_of(page: u64) -> u64 {
    let (group, slot) = place(page);
    sums_of(group) + (1 + slot) as u64 * PAGE as u64
}

fn sums_of(group: usize) -> u64 {
    (1 + group as u64 * (GROUP + 1)) * PAGE as u64
}

impl Failure {
    fn of(action: Action, error: &io::Error) -> Failure {
        Failure::Fault { action, kind: error.kind(), text: error.to_string() }
    }

    fn error(&self) -> io::Error {
        match self {
            Failure::Fault { kind, text, .. } => io::Error::new(*kind, text.clone()),
            Failure::Damaged(offset) => io::Error::new(io::ErrorKind::InvalidData, format!("damaged at byte {offset}")),
        }
    }
}

/// What redb asks that this does not offer: whole pages, and its header as a whole.
fn misfit() -> Failure {
    Failure::Fault {
        action: Action::Continue,
        kind: io::ErrorKind::Unsupported,
        text: "redb reads and writes in another way than it did".to_owned(),
    }
}

fn is_whole_pages(offset: u64, length: usize) -> bool {
    offset.is_multiple_of(PAGE as u64) && length.is_multiple_of(PAGE)
}

impl<F: DiskFile> StorageBackend for Pages<F> {
    fn len(&self) -> io::Result<u64> {
        self.unless_failed(|pages| Ok(pages.state().length))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.unless_failed(|pages| match offset {
            0 if out.len() <= HEADER => {
                out.copy_from_slice(&pages.state().header[..out.len()]);
                Ok(())
            }
            1.. if is_whole_pages(offset, out.len()) => pages.read_pages(offset / PAGE as u64, out),
            _ => Err(misfit()),
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.unless_failed(|pages| {
            let mut state = pages.state();
            let old = std::mem::replace(&mut state.length, len);
            pages.forget(&mut state, len.div_ceil(PAGE as u64).max(1), old.div_ceil(PAGE as u64))?;
            pages.write_superblock(&state)
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.unless_failed(|pages| {
            pages.write_sums(&mut pages.state())?;
            pages.0.file.sync().map_err(|error| Failure::of(Action::Sync, &error))
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.unless_failed(|pages| match offset {
            0 if data.len() == HEADER => {
                let mut state = pages.state();
                state.header.copy_from_slice(data);
                pages.write_superblock(&state)
            }
            1.. if is_whole_pages(offset, data.len()) => pages.write_pages(offset / PAGE as u64, data),
            _ => Err(misfit()),
        })
    }
}
