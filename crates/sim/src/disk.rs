//! A disk in memory that can lose what was not synced, fail, and cut the power between any two operations.

mod file;

use consensus::Chance;
pub(crate) use file::Loss;
use file::{File, SECTOR};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use storage::{Disk, DiskFile};

/// A member's folder. Clones are the same folder.
#[derive(Clone, Debug)]
pub(crate) struct SimDisk(Arc<Mutex<State>>);

/// A file in it, opened.
#[derive(Debug)]
pub(crate) struct SimFile {
    disk: SimDisk,
    number: usize,
    locked: Option<String>,
}

/// What is to go wrong with one of the next operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mishap {
    /// The next sync of a file fails.
    Sync,
    /// The next write fails: the disk is full, or broken.
    Write,
    /// The next read fails.
    Read,
}

/// Why an operation failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// The power is cut.
    Dark,
    /// A sync was to fail.
    Sync,
    /// A write was to fail.
    Write,
    /// A read was to fail.
    Read,
}

/// What became of a disk in a crash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Losses {
    /// Sectors that were written, not synced, and lost.
    pub(crate) sectors: usize,
    /// Names that were created, renamed or removed, not synced, and lost.
    pub(crate) names: usize,
}

#[derive(Debug)]
struct State {
    files: Vec<File>,
    /// Paths as a process sees them …
    names: BTreeMap<String, usize>,
    /// … and as a power failure leaves them.
    durable_names: BTreeMap<String, usize>,
    /// What was done to names since the folder's last sync.
    unsynced: Vec<NameChange>,
    folders: BTreeSet<String>,
    durable_folders: BTreeSet<String>,
    locks: BTreeSet<String>,
    /// The power fails at this many operations from now.
    countdown: Option<u64>,
    dark: bool,
    mishap: Option<Mishap>,
    /// What did.
    suffered: Option<Mishap>,
    chance: Chance,
}

#[derive(Clone, Debug)]
enum NameChange {
    Created { path: String, number: usize },
    Renamed { from: String, to: String, number: usize },
    Removed { path: String, number: usize },
}

impl NameChange {
    fn folder(&self) -> &str {
        match self {
            NameChange::Created { path, .. } | NameChange::Removed { path, .. } => folder_of(path),
            NameChange::Renamed { to, .. } => folder_of(to),
        }
    }

    /// Names whose change did not reach the disk keep what they stood for there; a file never gets two names.
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameChange::Created { path, number } => {
                names.insert(path.clone(), *number);
            }
            NameChange::Renamed { from, to, number } => {
                if names.get(from) == Some(number) {
                    names.remove(from);
                }
                names.insert(to.clone(), *number);
            }
            NameChange::Removed { path, number } => {
                if names.get(path) == Some(number) {
                    names.remove(path);
                }
            }
        }
    }
}

fn folder_of(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..slash])
}

impl SimDisk {
    /// An empty folder that does not exist yet.
    pub(crate) fn new(chance: Chance) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(State {
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced: Vec::new(),
            folders: BTreeSet::new(),
            durable_folders: BTreeSet::new(),
            locks: BTreeSet::new(),
            countdown: None,
            dark: false,
            mishap: None,
            suffered: None,
            chance,
        })))
    }

    /// Cuts the power before the `operations`-th operation from now.
    pub(crate) fn crash_after(&self, operations: u64) {
        self.state().countdown = Some(operations);
    }

    /// Why an operation failed, if one did since the last crash.
    pub(crate) fn cause(&self) -> Option<Cause> {
        let state = self.state();
        if state.dark {
            return Some(Cause::Dark);
        }
        state.suffered.map(|mishap| match mishap {
            Mishap::Sync => Cause::Sync,
            Mishap::Write => Cause::Write,
            Mishap::Read => Cause::Read,
        })
    }

    /// Lets one of the next operations fail.
    pub(crate) fn let_fail(&self, mishap: Mishap) {
        self.state().mishap = Some(mishap);
    }

    /// Takes back what was to go wrong.
    pub(crate) fn calm(&self) {
        let mut state = self.state();
        state.countdown = None;
        state.mishap = None;
    }

    /// The process is gone. With `power`, so is what was not synced, more or less; without, the page cache lives on.
    pub(crate) fn crash(&self, power: bool) -> Losses {
        let mut state = self.state();
        let state = &mut *state;
        state.locks.clear();
        state.countdown = None;
        state.mishap = None;
        state.suffered = None;
        state.dark = false;
        if !power {
            return Losses::default();
        }
        let mut losses = Losses::default();
        let loss = Loss::draw(&mut state.chance);
        for file in state.files.iter_mut().filter(|file| file.is_dirty()) {
            losses.sectors += file.lose(loss, &mut state.chance);
        }
        losses.names = state.lose_names(loss);
        losses
    }

    /// Damages what was synced to the log, of a member that is down. False if there is nothing to damage.
    pub(crate) fn rot(&self) -> bool {
        self.rot_in("log/")
    }

    /// The same of a file in a folder.
    pub(crate) fn rot_in(&self, folder: &str) -> bool {
        let mut state = self.state();
        let state = &mut *state;
        let logs: Vec<usize> =
            state.names.iter().filter(|(path, _)| path.starts_with(folder)).map(|(_, &number)| number).collect();
        if logs.is_empty() {
            return false;
        }
        let log = logs[state.chance.below(logs.len() as u64) as usize];
        state.files[log].rot(&mut state.chance)
    }

    /// The power is back on a disk that was never the member's: nothing is on it.
    pub(crate) fn wipe(&self) {
        let mut state = self.state();
        state.names.clear();
        state.durable_names.clear();
        state.unsynced.clear();
        state.folders.clear();
        state.durable_folders.clear();
        state.files.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding the disk")
    }

    /// Begins an operation, unless the power is cut just before it.
    fn begin(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if let Some(countdown) = &mut state.countdown {
            *countdown = countdown.saturating_sub(1);
            if *countdown == 0 {
                state.dark = true;
            }
        }
        if state.dark { Err(io::Error::other("the power is cut")) } else { Ok(state) }
    }

    fn file(&self, number: usize) -> SimFile {
        SimFile { disk: self.clone(), number, locked: None }
    }
}

impl State {
    fn suffers(&mut self, mishap: Mishap) -> bool {
        let suffers = self.mishap == Some(mishap);
        if suffers {
            self.suffered = self.mishap.take();
        }
        suffers
    }

    fn create(&mut self, path: &str) -> io::Result<usize> {
        if !self.folders.contains(folder_of(path)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if self.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = self.files.len();
        self.files.push(File::default());
        self.names.insert(path.to_owned(), number);
        self.unsynced.push(NameChange::Created { path: path.to_owned(), number });
        Ok(number)
    }

    fn lose_names(&mut self, loss: Loss) -> usize {
        let changes = std::mem::take(&mut self.unsynced);
        let kept_upto = self.chance.below(changes.len() as u64 + 1) as usize;
        let mut lost = 0;
        for (at, change) in changes.iter().enumerate() {
            let kept = match loss {
                Loss::Nothing => true,
                Loss::Everything => false,
                Loss::Tail => at < kept_upto,
                Loss::Scattered => self.chance.one_in(1, 2),
            };
            if kept {
                change.apply(&mut self.durable_names);
            } else {
                lost += 1;
            }
        }
        for folder in &self.folders {
            if loss == Loss::Nothing || loss == Loss::Tail && self.chance.one_in(1, 2) {
                self.durable_folders.insert(folder.clone());
            }
        }
        // What lies in a folder that is gone is gone, too.
        let folders = &self.durable_folders;
        self.durable_names.retain(|path, _| folders.contains(folder_of(path)));
        self.folders = self.durable_folders.clone();
        self.names = self.durable_names.clone();
        lost
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    fn open(&self, path: &str) -> io::Result<SimFile> {
        let state = self.begin()?;
        let number = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.file(number))
    }

    fn create(&self, path: &str) -> io::Result<SimFile> {
        let number = self.begin()?.create(path)?;
        Ok(self.file(number))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let state = self.begin()?;
        if !state.folders.contains(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = |path: &&String| !path.is_empty() && folder_of(path) == folder;
        let mut names: Vec<String> = state
            .names
            .keys()
            .chain(state.folders.iter())
            .filter(inside)
            .map(|path| path[if folder.is_empty() { 0 } else { folder.len() + 1 }..].to_owned())
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.begin()?;
        let number = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), number);
        state.unsynced.push(NameChange::Renamed { from: from.to_owned(), to: to.to_owned(), number });
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.begin()?;
        let number = state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        state.unsynced.push(NameChange::Removed { path: path.to_owned(), number });
        Ok(())
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        let mut state = self.begin()?;
        state.folders.insert(String::new());
        // The member's own folder is made by whoever installs it: it does not get lost.
        state.durable_folders.insert(String::new());
        for (slash, _) in path.match_indices('/') {
            state.folders.insert(path[..slash].to_owned());
        }
        state.folders.insert(path.to_owned());
        Ok(())
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        let mut state = self.begin()?;
        let state = &mut *state;
        if !state.folders.contains(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let durable_names = &mut state.durable_names;
        state.unsynced.retain(|change| {
            let here = change.folder() == folder;
            if here {
                change.apply(durable_names);
            }
            !here
        });
        let here = state.folders.iter().filter(|path| !path.is_empty() && folder_of(path) == folder);
        state.durable_folders.extend(here.cloned());
        Ok(())
    }

    fn lock(&self, path: &str) -> io::Result<SimFile> {
        let mut state = self.begin()?;
        let number = match state.names.get(path) {
            Some(&number) => number,
            None => state.create(path)?,
        };
        if !state.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(SimFile { disk: self.clone(), number, locked: Some(path.to_owned()) })
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.disk.begin()?;
        if state.suffers(Mishap::Read) {
            return Err(io::Error::other("the disk cannot read this"));
        }
        Ok(state.files[self.number].read_at(offset, buffer))
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = match self.disk.begin() {
            Ok(state) => state,
            Err(dark) => {
                // The power fails in the midst of the write: some of it is in the cache, and some of that on the disk.
                let mut state = self.disk.state();
                let some = state.chance.below(data.len() as u64 + 1) as usize;
                state.files[self.number].write_at(offset, &data[..whole_sectors(offset, some)]);
                return Err(dark);
            }
        };
        if state.suffers(Mishap::Write) {
            let some = state.chance.below(data.len() as u64 + 1) as usize;
            state.files[self.number].write_at(offset, &data[..whole_sectors(offset, some)]);
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.files[self.number].write_at(offset, data);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.begin()?.files[self.number].len())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.begin()?;
        let state = &mut *state;
        if state.suffers(Mishap::Sync) {
            state.files[self.number].fail_sync(&mut state.chance);
            return Err(io::Error::other("the disk cannot sync this"));
        }
        state.files[self.number].sync();
        Ok(())
    }
}

/// How much of a write of which so much was done ends with a sector: neither the cache nor the disk takes a part of one.
fn whole_sectors(offset: u64, length: usize) -> usize {
    let end = (offset as usize + length) / SECTOR * SECTOR;
    end.saturating_sub(offset as usize)
}

impl Drop for SimFile {
    fn drop(&mut self) {
        if let Some(path) = self.locked.take() {
            self.disk.state().locks.remove(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_once_its_folder_is_synced() {
        let disk = SimDisk::new(Chance::new(3));
        disk.create_dir("log").unwrap();
        disk.sync_dir("").unwrap();
        let kept = disk.create("log/kept").unwrap();
        kept.write_at(0, b"kept").unwrap();
        kept.sync().unwrap();
        disk.sync_dir("log").unwrap();
        for _ in 0..50 {
            disk.create("log/new").unwrap();
            disk.crash(true);
            assert!(disk.open("log/kept").is_ok());
            if disk.open("log/new").is_ok() {
                disk.remove("log/new").unwrap();
            }
        }
    }

    #[test]
    fn the_power_fails_in_the_midst_of_a_write_and_leaves_whole_sectors() {
        let mut torn = 0;
        for seed in 0..100 {
            let disk = SimDisk::new(Chance::new(seed));
            disk.create_dir("").unwrap();
            let file = disk.create("a").unwrap();
            file.write_at(0, &[1; 2_048]).unwrap();
            file.sync().unwrap();
            disk.crash_after(1);
            assert!(file.write_at(100, &[2; 1_500]).is_err());
            disk.crash(false);
            let mut read = [0; 2_048];
            file.read_at(0, &mut read).unwrap();
            // What was written of a sector, from where the write began.
            let sectors = [&read[100..512], &read[512..1_024], &read[1_024..1_536]];
            assert!(sectors.iter().all(|sector| sector.iter().all(|&byte| byte == sector[0])), "half a sector was written");
            torn += u32::from(sectors[0][0] == 2 && sectors[2][0] == 1);
        }
        assert!(torn > 10, "few of the writes are torn: {torn}");
    }

    #[test]
    fn the_power_fails_between_two_operations() {
        let disk = SimDisk::new(Chance::new(3));
        disk.create_dir("").unwrap();
        let file = disk.create("a").unwrap();
        disk.crash_after(2);
        file.write_at(0, b"one").unwrap();
        assert!(file.sync().is_err() && disk.cause() == Some(Cause::Dark));
        assert!(disk.open("a").is_err());
        disk.crash(true);
        assert_eq!(disk.cause(), None);
    }
}
