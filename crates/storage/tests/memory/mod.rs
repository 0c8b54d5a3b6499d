//! A disk in memory that knows what was synced, and can show every state that a power failure may leave behind.

#![allow(dead_code, reason = "each test program uses a part")]

use consensus::Chance;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use storage::{Disk, DiskFile};

const SECTOR: usize = 512;

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Default)]
pub(crate) struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Every file that ever was, by number; names point into it.
    files: Vec<Contents>,
    names: BTreeMap<String, usize>,
    folders: BTreeSet<String>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names that no folder sync has made durable yet.
    changes: Vec<Change>,
    locked: BTreeSet<String>,
    /// How many more operations succeed.
    fuel: Option<u64>,
    /// How many changed something.
    operations: u64,
    fail_syncs: bool,
}

#[derive(Clone, Default)]
struct Contents {
    now: Arc<Vec<u8>>,
    durable: Arc<Vec<u8>>,
    /// Writes since the last sync.
    writes: Vec<(usize, Vec<u8>)>,
    /// Whether a sync failed: what was written before is seen until the power fails, but no later sync makes it durable.
    forgotten: bool,
}

#[derive(Clone)]
enum Change {
    Create(String, usize),
    Rename(String, String),
    Remove(String),
}

impl Change {
    fn folder(&self) -> &str {
        let (Change::Create(path, _) | Change::Rename(path, _) | Change::Remove(path)) = self;
        folder_of(path)
    }

    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Change::Create(path, file) => {
                names.insert(path.clone(), *file);
            }
            Change::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Change::Remove(path) => {
                names.remove(path);
            }
        }
    }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl MemoryDisk {
    pub(crate) fn new() -> MemoryDisk {
        MemoryDisk::default()
    }

    /// After `operations` more that change something, everything fails: the process is as good as dead.
    pub(crate) fn die_after(&self, operations: u64) {
        self.state().fuel = Some(operations);
    }

    /// From now on, syncs fail.
    pub(crate) fn fail_syncs(&self) {
        self.state().fail_syncs = true;
    }

    /// How many operations changed something so far.
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// What the disk holds after a power failure: everything synced, and any part of the rest.
    pub(crate) fn after_power_failure(&self, chance: &mut Chance) -> MemoryDisk {
        let state = self.state();
        let mut names = state.durable_names.clone();
        let mode = chance.below(4);
        let mut lost = false;
        for change in &state.changes {
            lost |= mode == 0 || chance.one_in(1, 3);
            // Some file systems keep the order of what happens in a folder; none is asked to.
            if (mode == 1 && !lost) || (mode == 2 && chance.one_in(1, 2)) || mode == 3 {
                change.apply(&mut names);
            }
        }
        let files = state.files.iter().map(|file| file.after_power_failure(chance)).collect();
        let folders = state.folders.clone();
        let after = State { files, durable_names: names.clone(), names, folders, ..State::default() };
        MemoryDisk { state: Arc::new(Mutex::new(after)) }
    }

    /// What the disk holds after a power failure that takes all that it may.
    pub(crate) fn after_the_worst_power_failure(&self) -> MemoryDisk {
        let state = self.state();
        let names = state.durable_names.clone();
        let durable =
            |file: &Contents| Contents { now: file.durable.clone(), durable: file.durable.clone(), ..Contents::default() };
        let files = state.files.iter().map(durable).collect();
        let after = State { files, durable_names: names.clone(), names, folders: state.folders.clone(), ..State::default() };
        MemoryDisk { state: Arc::new(Mutex::new(after)) }
    }

    /// The same disk after the death of a process: nothing is lost, and nothing more is durable.
    pub(crate) fn after_death(&self) -> MemoryDisk {
        let state = self.state();
        let after = State {
            files: state.files.clone(),
            names: state.names.clone(),
            folders: state.folders.clone(),
            durable_names: state.durable_names.clone(),
            changes: state.changes.clone(),
            ..State::default()
        };
        MemoryDisk { state: Arc::new(Mutex::new(after)) }
    }

    /// A copy whose files are shared until one of the two changes them.
    pub(crate) fn copy(&self) -> MemoryDisk {
        self.after_death()
    }

    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let state = self.state();
        state.names.keys().filter(|path| folder_of(path) == folder).cloned().collect()
    }

    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        let state = self.state();
        state.files[state.names[path]].now.to_vec()
    }

    /// Changes the bytes of a file behind everybody's back.
    pub(crate) fn damage(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let file = state.names[path];
        let contents = &mut state.files[file];
        contents.writes.clear();
        change(Arc::make_mut(&mut contents.now));
        contents.durable = Arc::clone(&contents.now);
    }

    /// Puts a file there, durably.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        let mut state = self.state();
        let file = state.files.len();
        let bytes = Arc::new(bytes.to_vec());
        state.files.push(Contents { now: Arc::clone(&bytes), durable: bytes, ..Contents::default() });
        state.names.insert(path.to_owned(), file);
        state.durable_names.insert(path.to_owned(), file);
        state.folders.insert(folder_of(path).to_owned());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn changing(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if let Some(fuel) = &mut state.fuel {
            *fuel = fuel.checked_sub(1).ok_or_else(|| io::Error::other("the process is dead"))?;
        }
        state.operations += 1;
        Ok(state)
    }
}

impl Contents {
    fn after_power_failure(&self, chance: &mut Chance) -> Contents {
        let mut bytes = self.durable.to_vec();
        let mode = chance.below(5);
        let keep_upto = chance.below(self.writes.len() as u64 + 1) as usize;
        for (number, (offset, data)) in self.writes.iter().enumerate() {
            let torn = chance.one_in(1, 4);
            let prefix = chance.below(data.len() as u64 + 1) as usize;
            // Sectors are those of the file, not of the write.
            let mut at = 0;
            while at < data.len() {
                let next = ((offset + at) / SECTOR + 1) * SECTOR - offset;
                let next = next.min(data.len());
                let keep = match mode {
                    0 => false,
                    1 => number < keep_upto || (number == keep_upto && at < prefix),
                    2 => (!torn || at < prefix) && number <= keep_upto,
                    3 => chance.one_in(1, 2),
                    _ => true,
                };
                if keep {
                    put(&mut bytes, offset + at, &data[at..next]);
                }
                at = next;
            }
        }
        let bytes = Arc::new(bytes);
        Contents { now: Arc::clone(&bytes), durable: bytes, ..Contents::default() }
    }

    fn sync(&mut self) {
        if self.forgotten {
            let durable = Arc::make_mut(&mut self.durable);
            self.writes.iter().for_each(|(offset, data)| put(durable, *offset, data));
        } else {
            self.durable = Arc::clone(&self.now);
        }
        self.writes.clear();
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if bytes.len() < offset + data.len() {
        bytes.resize(offset + data.len(), 0);
    }
    bytes[offset..offset + data.len()].copy_from_slice(data);
}

pub(crate) struct MemoryFile {
    disk: MemoryDisk,
    file: usize,
    lock: Option<String>,
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        if let (Some(path), Ok(mut state)) = (&self.lock, self.disk.state.lock()) {
            state.locked.remove(path);
        }
    }
}

impl Disk for MemoryDisk {
    type File = MemoryFile;

    fn open(&self, path: &str) -> io::Result<MemoryFile> {
        let state = self.state();
        let file = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(MemoryFile { disk: self.clone(), file, lock: None })
    }

    fn create(&self, path: &str) -> io::Result<MemoryFile> {
        let mut state = self.changing()?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        assert!(state.folders.contains(folder_of(path)), "no folder for {path}");
        let file = state.files.len();
        state.files.push(Contents::default());
        state.names.insert(path.to_owned(), file);
        state.changes.push(Change::Create(path.to_owned(), file));
        Ok(MemoryFile { disk: self.clone(), file, lock: None })
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let state = self.state();
        if !state.folders.contains(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let below = state.names.keys().chain(state.folders.iter().filter(|name| !name.is_empty()));
        let below = below.filter(|path| folder_of(path) == folder);
        let mut names: Vec<String> = below.map(|path| path.rsplit('/').next().unwrap().to_owned()).collect();
        names.sort();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.changing()?;
        assert_eq!(folder_of(from), folder_of(to));
        let file = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), file);
        state.changes.push(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.changing()?;
        state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        state.changes.push(Change::Remove(path.to_owned()));
        Ok(())
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        let mut folder = path;
        while self.state().folders.insert(folder.to_owned()) && !folder.is_empty() {
            folder = folder_of(folder);
        }
        Ok(())
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        let mut state = self.changing()?;
        if state.fail_syncs {
            return Err(io::Error::other("the disk is gone"));
        }
        let State { changes, durable_names, .. } = &mut *state;
        changes.retain(|change| {
            let here = change.folder() == folder;
            if here {
                change.apply(durable_names);
            }
            !here
        });
        Ok(())
    }

    fn lock(&self, path: &str) -> io::Result<MemoryFile> {
        if !self.state().locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let file = match self.open(path) {
            Err(_) => self.create(path),
            opened => opened,
        };
        file.map(|mut file| {
            file.lock = Some(path.to_owned());
            file
        })
    }
}

impl DiskFile for MemoryFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.state();
        let bytes = &state.files[self.file].now;
        let from = bytes.len().min(offset as usize);
        let count = buffer.len().min(bytes.len() - from);
        buffer[..count].copy_from_slice(&bytes[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.disk.changing()?;
        let contents = &mut state.files[self.file];
        put(Arc::make_mut(&mut contents.now), offset as usize, data);
        contents.writes.push((offset as usize, data.to_vec()));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.file].now.len() as u64)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.changing()?;
        if state.fail_syncs {
            let contents = &mut state.files[self.file];
            contents.forgotten = true;
            contents.writes.clear();
            return Err(io::Error::other("the disk is gone"));
        }
        state.files[self.file].sync();
        Ok(())
    }
}
