//! A disk that forgets what was not synced.
//!
//! `kill -9` of a process proves nothing about durability: what it wrote lives on in the system's page cache. On this disk, what
//! was not synced lives in the process itself, so that its death is a power failure. For tests of real processes.
//!
//! ```text
//!   write_at            pages in memory                         sync       → the file behind them
//!   create              a file in the scratch folder `.lossy`   sync_dir   → renamed to its name
//!   rename, remove      noted in memory                         sync_dir   → carried out
//! ```

use super::{Disk, DiskFile, RealDisk};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

const SCRATCH: &str = ".lossy";
const PAGE: usize = 4096;

/// A folder of the operating system, of which everything unsynced lives in this process's memory. Folders themselves are durable as
/// soon as they are created.
#[derive(Clone, Debug)]
pub struct LossyDisk {
    real: RealDisk,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    /// The folders that were looked into.
    folders: BTreeSet<String>,
    /// The files in them, as this process sees them.
    files: BTreeMap<String, Arc<Mutex<Contents>>>,
    /// Files whose names are gone here, but not from the real disk.
    removed: Vec<(String, Arc<Mutex<Contents>>)>,
    /// How many files were created.
    created: u64,
}

#[derive(Debug)]
struct Contents {
    real: File,
    /// Where the real file is.
    path: String,
    /// Pages that were written to since the last sync.
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
    length: u64,
}

impl LossyDisk {
    /// The folder `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> LossyDisk {
        LossyDisk { real: RealDisk::new(root), memory: Arc::default() }
    }

    /// The state of memory, with the files of `folder` in it.
    fn look_into(&self, folder: &str) -> io::Result<MutexGuard<'_, Memory>> {
        let mut memory = self.memory();
        if !memory.folders.contains(folder) {
            for name in self.real.list(folder)? {
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                // Folders cannot be opened for writing, and are not files.
                if let Ok(real) = self.real.open(&path) {
                    let contents = Contents::of(real, path.clone())?;
                    memory.files.insert(path, Arc::new(Mutex::new(contents)));
                }
            }
            memory.folders.insert(folder.to_owned());
        }
        Ok(memory)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("the lossy disk is sound")
    }

    /// Where the next created file waits for its name.
    fn scratch(&self, memory: &mut Memory) -> io::Result<String> {
        if memory.created == 0 {
            self.real.create_dir(SCRATCH)?;
            // What an earlier process left there had no name that would have lasted.
            for name in self.real.list(SCRATCH)? {
                self.real.remove(&format!("{SCRATCH}/{name}"))?;
            }
        }
        memory.created += 1;
        Ok(format!("{SCRATCH}/{}", memory.created))
    }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Disk for LossyDisk {
    type File = LossyFile;

    fn open(&self, path: &str) -> io::Result<LossyFile> {
        let memory = self.look_into(folder_of(path))?;
        let contents = memory.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(LossyFile { contents: Arc::clone(contents) })
    }

    fn create(&self, path: &str) -> io::Result<LossyFile> {
        let mut memory = self.look_into(folder_of(path))?;
        if memory.files.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let scratch = self.scratch(&mut memory)?;
        let contents = Arc::new(Mutex::new(Contents::of(self.real.create(&scratch)?, scratch)?));
        memory.files.insert(path.to_owned(), Arc::clone(&contents));
        Ok(LossyFile { contents })
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let memory = self.look_into(folder)?;
        let here = |path: &&String| folder_of(path) == folder;
        let name = |path: &String| path.rsplit('/').next().unwrap_or(path).to_owned();
        let mut names: BTreeSet<String> = memory.files.keys().filter(here).map(name).collect();
        // Folders are where they are.
        for name in self.real.list(folder)? {
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if name != SCRATCH && self.real.list(&path).is_ok() {
                names.insert(name);
            }
        }
        Ok(names.into_iter().collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut memory = self.look_into(folder_of(from))?;
        let contents = memory.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        if let Some(replaced) = memory.files.insert(to.to_owned(), contents) {
            memory.removed.push((to.to_owned(), replaced));
        }
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut memory = self.look_into(folder_of(path))?;
        let contents = memory.files.remove(path).ok_or(io::ErrorKind::NotFound)?;
        memory.removed.push((path.to_owned(), contents));
        Ok(())
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.real.create_dir(path)
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        let mut memory = self.look_into(folder)?;
        let here = |path: &str| folder_of(path) == folder;
        // Each file to its name, one whose name is still another's after that one.
        let mut homeless: Vec<String> = Vec::new();
        for (path, contents) in memory.files.iter().filter(|(path, _)| here(path)) {
            if lock(contents).path != *path {
                homeless.push(path.clone());
            }
        }
        while !homeless.is_empty() {
            let taken: BTreeSet<String> = homeless.iter().map(|path| lock(&memory.files[path]).path.clone()).collect();
            let free = homeless.iter().position(|path| !taken.contains(path));
            let path = homeless.remove(free.unwrap_or(0));
            let mut contents = lock(&memory.files[&path]);
            self.real.rename(&contents.path, &path)?;
            contents.path = path;
        }
        // Then what was removed, unless another file has its name by now.
        let (gone, elsewhere) = std::mem::take(&mut memory.removed).into_iter().partition(|(path, _)| here(path));
        memory.removed = elsewhere;
        let gone: Vec<(String, Arc<Mutex<Contents>>)> = gone;
        for (_, contents) in gone {
            let place = lock(&contents).path.clone();
            let replaced = memory.files.values().any(|other| lock(other).path == place);
            if !replaced {
                match self.real.remove(&place) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        self.real.sync_dir(folder)
    }

    fn lock(&self, path: &str) -> io::Result<LossyFile> {
        let contents = Arc::new(Mutex::new(Contents::of(self.real.lock(path)?, path.to_owned())?));
        Ok(LossyFile { contents })
    }

    fn describe(&self, path: &str) -> String {
        self.real.describe(path)
    }
}

/// A file of a [`LossyDisk`].
#[derive(Debug)]
pub struct LossyFile {
    contents: Arc<Mutex<Contents>>,
}

fn lock(contents: &Arc<Mutex<Contents>>) -> MutexGuard<'_, Contents> {
    contents.lock().expect("the lossy disk is sound")
}

impl DiskFile for LossyFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let contents = lock(&self.contents);
        let left = usize::try_from(contents.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        contents.read(offset, &mut buffer[..count])?;
        Ok(count)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        lock(&self.contents).write(offset, data)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.contents).length)
    }

    fn sync(&self) -> io::Result<()> {
        lock(&self.contents).sync()
    }
}

impl Contents {
    fn of(real: File, path: String) -> io::Result<Contents> {
        let length = DiskFile::len(&real)?;
        Ok(Contents { real, path, pages: BTreeMap::new(), length })
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let count = DiskFile::read_at(&self.real, offset, buffer)?;
        buffer[count..].fill(0);
        for (page, within, part) in pages(offset, buffer.len()) {
            if let Some(bytes) = self.pages.get(&page) {
                buffer[part.clone()].copy_from_slice(&bytes[within..within + part.len()]);
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        for (page, within, part) in pages(offset, data.len()) {
            if !self.pages.contains_key(&page) {
                let mut bytes = Box::new([0; PAGE]);
                if part.len() < PAGE {
                    DiskFile::read_at(&self.real, page * PAGE as u64, &mut bytes[..])?;
                }
                self.pages.insert(page, bytes);
            }
            let bytes = self.pages.get_mut(&page).expect("it was put there");
            bytes[within..within + part.len()].copy_from_slice(&data[part]);
        }
        self.length = self.length.max(offset + data.len() as u64);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        for (page, bytes) in &self.pages {
            let offset = page * PAGE as u64;
            let count = usize::try_from(self.length - offset).map_or(PAGE, |left| left.min(PAGE));
            DiskFile::write_at(&self.real, offset, &bytes[..count])?;
        }
        DiskFile::sync(&self.real)?;
        self.pages.clear();
        Ok(())
    }
}

/// The pages that `length` bytes at `offset` touch: each page's number, where in it they begin, and which of the bytes they are.
fn pages(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = (at % PAGE as u64) as usize;
        let count = (PAGE - within).min(length - done);
        let part = done..done + count;
        done += count;
        (count > 0).then_some((at / PAGE as u64, within, part))
    })
}
