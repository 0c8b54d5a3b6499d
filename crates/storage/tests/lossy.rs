//! A disk on which the death of a process is a power failure.

use std::path::PathBuf;
use storage::{Disk, DiskFile, LossyDisk};

/// A folder of this test's own, removed when it passes.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("quorate-lossy-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Folder(path)
    }

    /// The disk as a new process sees it: what the last one had in memory is gone.
    fn disk(&self) -> LossyDisk {
        LossyDisk::new(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn read(disk: &LossyDisk, path: &str) -> Option<Vec<u8>> {
    let file = disk.open(path).ok()?;
    let mut bytes = vec![0xee; file.len().unwrap() as usize];
    assert_eq!(file.read_at(0, &mut bytes).unwrap(), bytes.len());
    Some(bytes)
}

#[test]
fn what_was_not_synced_is_gone_with_the_process() {
    let folder = Folder::new("writes");
    let disk = folder.disk();
    disk.create_dir("log").unwrap();
    let file = disk.create("log/1").unwrap();
    file.write_at(0, &[1; 5000]).unwrap();
    file.sync().unwrap();
    disk.sync_dir("log").unwrap();
    file.write_at(4090, &[2; 2000]).unwrap();
    let mut now = vec![1; 4090];
    now.extend([2; 2000]);
    assert_eq!(read(&disk, "log/1").unwrap(), now);
    assert_eq!(read(&folder.disk(), "log/1").unwrap(), [1; 5000]);
    file.sync().unwrap();
    assert_eq!(read(&folder.disk(), "log/1").unwrap(), now);
}

#[test]
fn a_file_has_no_name_before_its_folder_is_synced() {
    let folder = Folder::new("names");
    let disk = folder.disk();
    disk.create_dir("log").unwrap();
    let file = disk.create("log/1").unwrap();
    file.write_at(0, b"one").unwrap();
    file.sync().unwrap();
    assert_eq!(disk.list("log").unwrap(), ["1"]);
    assert_eq!(disk.list("").unwrap(), ["log"]);
    assert!(folder.disk().list("log").unwrap().is_empty());
    disk.sync_dir("log").unwrap();
    assert_eq!(read(&folder.disk(), "log/1").unwrap(), b"one");

    disk.rename("log/1", "log/2").unwrap();
    assert_eq!((disk.list("log").unwrap(), folder.disk().list("log").unwrap()), (vec!["2".into()], vec!["1".into()]));
    disk.sync_dir("log").unwrap();
    assert_eq!(folder.disk().list("log").unwrap(), ["2"]);

    disk.remove("log/2").unwrap();
    assert!(disk.open("log/2").is_err());
    assert_eq!(read(&folder.disk(), "log/2").unwrap(), b"one");
    disk.sync_dir("log").unwrap();
    assert!(folder.disk().list("log").unwrap().is_empty());
}

#[test]
fn a_rename_replaces_a_file_only_once_the_folder_is_synced() {
    let folder = Folder::new("replace");
    let disk = folder.disk();
    disk.create_dir("").unwrap();
    for (name, text) in [("journal", "old"), ("journal.old", "older")] {
        let file = disk.create(name).unwrap();
        file.write_at(0, text.as_bytes()).unwrap();
        file.sync().unwrap();
    }
    disk.sync_dir("").unwrap();
    disk.rename("journal", "journal.old").unwrap();
    let file = disk.create("journal").unwrap();
    file.write_at(0, b"new").unwrap();
    file.sync().unwrap();
    assert_eq!(read(&folder.disk(), "journal").unwrap(), b"old");
    assert_eq!(read(&folder.disk(), "journal.old").unwrap(), b"older");
    disk.sync_dir("").unwrap();
    for disk in [disk, folder.disk()] {
        assert_eq!(read(&disk, "journal").unwrap(), b"new");
        assert_eq!(read(&disk, "journal.old").unwrap(), b"old");
        assert_eq!(disk.list("").unwrap(), ["journal", "journal.old"]);
    }
}

#[test]
fn a_folder_is_locked_once() {
    let folder = Folder::new("lock");
    let disk = folder.disk();
    disk.create_dir("").unwrap();
    let lock = disk.lock("lock").unwrap();
    assert_eq!(folder.disk().lock("lock").map(|_| ()).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    drop(lock);
}
