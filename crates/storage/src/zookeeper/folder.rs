//! What is called what in a server's folders.

use crate::disk::{Disk, DiskFile, fault};
use crate::fault::{Action, Fault};
use std::io;

/// Where snapshots, epochs and logs are, below dataDir and dataLogDir: the version is the files' format.
pub(super) const FOLDER: &str = "version-2";

/// Held by the process that has the folder open. Java knows nothing of it.
pub(super) const LOCK: &str = "quorate.lock";

/// The journal.
pub(super) const JOURNAL: &str = "quorate.journal";

/// Ours, and unfinished: neither Java nor a start of ours takes such a file for anything. (Java's own unfinished files are called
/// `snapshot.<zxid>.tmp`, which Java itself would read as snapshots.)
const UNFINISHED: (&str, &str) = ("quorate-", ".tmp");

/// The path of something in [`FOLDER`].
pub(super) fn path(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// The path of an unfinished file.
pub(super) fn unfinished(what: &str) -> String {
    path(&format!("{}{what}{}", UNFINISHED.0, UNFINISHED.1))
}

/// Removes what is left of unfinished files.
pub(super) fn remove_unfinished<D: Disk>(disk: &D) -> Result<(), Fault> {
    for name in list(disk, FOLDER)?.unwrap_or_default() {
        if name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1) {
            remove(disk, &path(&name))?;
        }
    }
    Ok(())
}

/// The path of the log file that begins with the transaction `zxid`.
pub(super) fn log_path(zxid: u64) -> String {
    path(&format!("log.{zxid:x}"))
}

/// The path of the snapshot of `zxid`.
pub(super) fn snapshot_path(zxid: u64) -> String {
    path(&format!("snapshot.{zxid:x}"))
}

/// The zxid in a log file's name.
pub(super) fn log_zxid(name: &str) -> Option<u64> {
    hex(name.strip_prefix("log.")?)
}

/// How a snapshot's bytes were packed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Packing {
    /// Not at all.
    Plain,
    /// `.gz`
    Gzip,
    /// `.snappy`
    Snappy,
}

/// The zxid in a snapshot's name, and how it is packed.
pub(super) fn snapshot_zxid(name: &str) -> Option<(u64, Packing)> {
    let rest = name.strip_prefix("snapshot.")?;
    let (digits, packing) = match rest.split_once('.') {
        None => (rest, Packing::Plain),
        Some((digits, "gz")) => (digits, Packing::Gzip),
        Some((digits, "snappy")) => (digits, Packing::Snappy),
        Some(_) => return None,
    };
    Some((hex(digits)?, packing))
}

fn hex(digits: &str) -> Option<u64> {
    // A sign, which the parser would take, is none of a zxid.
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u64::from_str_radix(digits, 16).ok())?
}

/// What a folder holds; `None` if there is no such folder.
pub(super) fn list<D: Disk>(disk: &D, folder: &str) -> Result<Option<Vec<String>>, Fault> {
    match disk.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        listed => listed.map(Some).map_err(fault(disk, Action::List, folder)),
    }
}

/// Removes a file.
pub(super) fn remove<D: Disk>(disk: &D, path: &str) -> Result<(), Fault> {
    disk.remove(path).map_err(fault(disk, Action::Remove, path))
}

/// Makes what was created, renamed and removed in [`FOLDER`] durable.
pub(super) fn sync_folder<D: Disk>(disk: &D) -> Result<(), Fault> {
    disk.sync_dir(FOLDER).map_err(fault(disk, Action::Sync, FOLDER))
}

/// Creates a file in place of one of that name, if there is one.
pub(super) fn create_anew<D: Disk>(disk: &D, path: &str) -> Result<D::File, Fault> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fault(disk, Action::Remove, path)(error)),
        _ => {}
    }
    disk.create(path).map_err(fault(disk, Action::Create, path))
}

/// What a file of at most `most` bytes holds; `None` if there is no such file.
pub(super) fn read_small<D: Disk>(disk: &D, path: &str, most: usize) -> Result<Option<Vec<u8>>, Fault> {
    let file = match disk.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(fault(disk, Action::Open, path))?,
    };
    let mut bytes = vec![0; most];
    let count = file.read_at(0, &mut bytes).map_err(fault(disk, Action::Read, path))?;
    bytes.truncate(count);
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_java_writes_them() {
        assert_eq!(log_zxid("log.100000001"), Some(0x1_0000_0001));
        assert_eq!(log_zxid("log.+1"), None);
        assert_eq!(log_zxid("log."), None);
        assert_eq!(snapshot_zxid("snapshot.0"), Some((0, Packing::Plain)));
        assert_eq!(snapshot_zxid("snapshot.2a.gz"), Some((42, Packing::Gzip)));
        assert_eq!(snapshot_zxid("snapshot.2a.snappy"), Some((42, Packing::Snappy)));
        assert_eq!(snapshot_zxid("snapshot.2a.tmp"), None);
        assert_eq!(snapshot_path(42), "version-2/snapshot.2a");
    }
}
