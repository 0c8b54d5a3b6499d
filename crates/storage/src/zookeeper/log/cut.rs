//! Cutting the log after some transaction (TRUNC, and whatever else takes back what was not committed).
//!
//! Later files are removed, from the last to the first. The file in which the cut falls is written anew up to there, synced and renamed
//! into place, so that a crash leaves the old file or the new one: zeros written over a part of it could be torn, and a torn file with
//! whole records behind the tear is what damage looks like.

use super::record::{self, HEAD};
use super::{LogFile, mark};
use crate::disk::{Disk, DiskFile, fault};
use crate::fault::{Action, Fault};
use crate::log::window::Window;
use crate::zookeeper::folder::{create_anew, log_path, sync_folder, unfinished};
use consensus::Position;
use std::io;
use std::sync::Arc;

/// Where a file is to end, and its last record then.
pub(super) struct Cut {
    pub(super) end: u64,
    pub(super) last: Position,
}

/// Finds the end of the last record at or before `after`. The file holds one.
pub(super) fn place<D: Disk>(disk: &D, file: &LogFile<D::File>, after: Position) -> Result<Cut, Fault> {
    let path = log_path(file.number);
    let failed = |error: io::Error| fault(disk, Action::Read, &path)(error);
    let length = file.file.len().map_err(failed)?;
    let mut window = Window::new(&*file.file, length);
    let mut cut = Cut { end: HEAD, last: Position::ZERO };
    while let Some(record) = record::at(&mut window, cut.end, length, Position::ZERO).map_err(failed)? {
        if record.position > after {
            break;
        }
        cut.last = cut.last.max(record.position);
        cut.end += record.size();
    }
    Ok(cut)
}

/// Cuts a file there, durably, and returns the new one.
pub(super) fn rewrite<D: Disk>(disk: &D, file: &LogFile<D::File>, end: u64) -> Result<Arc<D::File>, Fault> {
    let aside = unfinished("cut");
    let copy = create_anew(disk, &aside)?;
    let mut buffer = vec![0; 1 << 18];
    let mut offset = 0;
    while offset < end {
        let want = usize::try_from(end - offset).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = file.file.read_at(offset, &mut buffer[..want]).map_err(fault(disk, Action::Read, &log_path(file.number)))?;
        if count == 0 {
            return Err(fault(disk, Action::Read, &log_path(file.number))(io::ErrorKind::UnexpectedEof.into()));
        }
        copy.write_at(offset, &buffer[..count]).map_err(fault(disk, Action::Write, &aside))?;
        offset += count as u64;
    }
    copy.write_at(mark::place(end), &mark::encode(file.number, end)).map_err(fault(disk, Action::Write, &aside))?;
    copy.sync().map_err(fault(disk, Action::Sync, &aside))?;
    disk.rename(&aside, &log_path(file.number)).map_err(fault(disk, Action::Rename, &aside))?;
    sync_folder(disk)?;
    Ok(Arc::new(copy))
}
