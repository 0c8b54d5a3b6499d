//! The one seam between a member and its disk.
//!
//! Everything that a member keeps goes through [`Disk`] and [`DiskFile`]: a dozen methods, synchronous, without any policy. The
//! product runs on [`RealDisk`]; tests of real processes on [`LossyDisk`], where `kill -9` is a power failure; the simulator
//! brings its own.
//!
//! What an implementation promises, and nothing more:
//!
//! ```text
//!   write_at   reads of this process see it at once; a power failure may keep it, lose it, or keep any of its sectors
//!   sync       all earlier writes to this file survive a power failure, and so does its length
//!   create     ┐
//!   rename     │ reads of this process see it at once; a power failure may keep or lose it
//!   remove     ┘
//!   sync_dir   all earlier creates, renames and removes in this folder survive a power failure
//! ```
//!
//! A sector of 512 bytes is written whole or not at all, and writing one never harms its neighbours. A write that changes only a
//! part of a sector leaves the rest of it as it was, torn or not.
//!
//! Paths are relative to the member's folder, with `/` between names; the folder itself is `""`.

mod lossy;
mod over;
mod real;

pub use lossy::LossyDisk;
pub(crate) use over::{write_again, write_zeros};
pub use real::RealDisk;

use crate::fault::{Action, Fault};
use std::io;

/// A member's folder. Clones are the same folder.
pub trait Disk: Clone + Send + Sync + 'static {
    /// A file in it.
    type File: DiskFile;

    /// Opens a file that exists, for reading and writing.
    fn open(&self, path: &str) -> io::Result<Self::File>;

    /// Creates a file that does not exist yet ([`io::ErrorKind::AlreadyExists`] otherwise), for reading and writing.
    fn create(&self, path: &str) -> io::Result<Self::File>;

    /// The names of everything in a folder, sorted. [`io::ErrorKind::NotFound`] if there is no such folder.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Renames a file within its folder, in place of another of that name if there is one.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Who has it open may go on reading it.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Creates a folder, and those above it; the member's own if `path` is `""`. Nothing happens to one that exists.
    fn create_dir(&self, path: &str) -> io::Result<()>;

    /// Makes what was created, renamed and removed in a folder durable.
    fn sync_dir(&self, folder: &str) -> io::Result<()>;

    /// Opens or creates a file and keeps everybody else from locking it until what is returned is dropped or the process ends.
    /// [`io::ErrorKind::WouldBlock`] if somebody else has it.
    fn lock(&self, path: &str) -> io::Result<Self::File>;

    /// The path as a person would look for it.
    fn describe(&self, path: &str) -> String {
        path.to_owned()
    }
}

/// A file. It closes when it is dropped, which syncs nothing.
#[expect(clippy::len_without_is_empty, reason = "nobody asks whether a file is empty")]
pub trait DiskFile: Send + Sync + 'static {
    /// Reads at most `buffer.len()` bytes from `offset` on; fewer only at the end of the file, where it returns 0.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `data` at `offset`, which may be at or behind the end of the file.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// The file's length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Makes what was written to the file durable (fdatasync).
    fn sync(&self) -> io::Result<()>;
}

/// Turns an error of the disk into a fault that names its file.
pub(crate) fn fault<D: Disk>(disk: &D, action: Action, path: &str) -> impl FnOnce(io::Error) -> Fault {
    let path = disk.describe(path);
    move |source| Fault { action, path, source }
}
