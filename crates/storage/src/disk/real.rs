//! The operating system's files.

use super::{Disk, DiskFile};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a file descriptor is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A folder of the operating system.
#[derive(Clone, Debug)]
pub struct RealDisk {
    root: Arc<Path>,
}

impl RealDisk {
    /// The folder `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> RealDisk {
        RealDisk { root: root.into().into() }
    }

    fn path(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.to_path_buf() } else { self.root.join(path) }
    }
}

impl Disk for RealDisk {
    type File = File;

    fn open(&self, path: &str) -> io::Result<File> {
        patiently(|| OpenOptions::new().read(true).write(true).open(self.path(path)))
    }

    fn create(&self, path: &str) -> io::Result<File> {
        patiently(|| OpenOptions::new().read(true).write(true).create_new(true).open(self.path(path)))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in patiently(|| fs::read_dir(self.path(folder)))? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.path(path))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        let path = self.path(path);
        let missing: Vec<&Path> =
            path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
        fs::create_dir_all(&path)?;
        // Whoever syncs what is in the folder expects that it is still there after a power failure.
        for created in missing {
            let parent = created.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            sync_folder(parent)?;
        }
        Ok(())
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        sync_folder(&self.path(folder))
    }

    fn lock(&self, path: &str) -> io::Result<File> {
        let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(self.path(path));
        let file = patiently(open)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn describe(&self, path: &str) -> String {
        self.path(path).display().to_string()
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    patiently(|| File::open(path))?.sync_all()
}

/// Opens something, once there is a file descriptor for it: connections may have taken all of them for a moment, and that is no reason
/// to stop. Nothing has happened on the disk when one is missing.
fn patiently<T>(mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    // The same numbers on all systems that Rust's library knows as unix.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    let begin = Instant::now();
    loop {
        match open() {
            Err(error) if matches!(error.raw_os_error(), Some(EMFILE | ENFILE)) && begin.elapsed() < PATIENCE => {
                sleep(Duration::from_millis(20));
            }
            done => return done,
        }
    }
}

impl DiskFile for File {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match FileExt::read_at(self, &mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.write_all_at(data, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_descriptor_is_waited_for() {
        let mut left = 3;
        let opened = patiently(|| {
            left -= 1;
            if left > 0 { Err(io::Error::from_raw_os_error(24)) } else { Ok(left) }
        });
        assert_eq!(opened.expect("the third time"), 0);
        let refused = patiently(|| -> io::Result<()> { Err(io::ErrorKind::NotFound.into()) });
        assert_eq!(refused.expect_err("what fails otherwise fails at once").kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_folder_is_made_with_all_above_it() {
        let root = tempfile::tempdir().expect("the temporary folder can be written");
        let disk = RealDisk::new(root.path().join("a/b"));
        disk.create_dir("").and_then(|()| disk.create_dir("c/d")).and_then(|()| disk.create_dir("c/d")).expect("they are made");
        assert!(root.path().join("a/b/c/d").is_dir());
    }
}
