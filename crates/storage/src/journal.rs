//! The journal: what a member decided and why, in lines of plain text, for people.
//!
//! ```text
//!   journal        the latest lines: milliseconds since 1970, a space, a sentence
//!   journal.old    those before them; replaced when `journal` has grown to 256 KiB
//! ```
//!
//! Where other programs look after the folder, too, it goes by a name that says whose it is.
//!
//! It is never synced. A power failure may tear the last line or take the last few; nothing depends on them.

use crate::disk::{Disk, DiskFile, fault};
use crate::fault::{Action, Fault};
use std::io;

const FILE: &str = "journal";
const BYTES_MAX: u64 = 256 << 10;

/// One line of the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Milliseconds since 1970.
    pub wall_ms: u64,
    /// What was decided.
    pub text: String,
}

/// The journal of a running member.
pub struct Journal<D: Disk> {
    disk: D,
    name: &'static str,
    file: D::File,
    length: u64,
}

impl<D: Disk> Journal<D> {
    /// Opens the journal of a member, to append to it.
    pub fn open(disk: &D) -> Result<Journal<D>, Fault> {
        Journal::open_as(disk, FILE)
    }

    /// Opens the journal that goes by the name `name` in its folder.
    pub(crate) fn open_as(disk: &D, name: &'static str) -> Result<Journal<D>, Fault> {
        let file = match disk.open(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(name),
            opened => opened,
        };
        let file = file.map_err(fault(disk, Action::Open, name))?;
        let length = file.len().map_err(fault(disk, Action::Read, name))?;
        let mut journal = Journal { disk: disk.clone(), name, file, length };
        if length > 0 {
            // The last line may be torn: whatever is left of it ends here.
            journal.write(b"\n")?;
        }
        Ok(journal)
    }

    /// Appends a line. Line breaks in `text` become spaces.
    pub fn append(&mut self, wall_ms: u64, text: &str) -> Result<(), Fault> {
        if self.length >= BYTES_MAX {
            self.disk.rename(self.name, &old(self.name)).map_err(fault(&self.disk, Action::Rename, self.name))?;
            self.file = self.disk.create(self.name).map_err(fault(&self.disk, Action::Create, self.name))?;
            self.length = 0;
        }
        let text = text.replace(['\n', '\r'], " ");
        self.write(format!("{wall_ms} {text}\n").as_bytes())
    }

    /// The last `count` lines of a member's journal, oldest first. Needs no lock: the member may be running.
    pub fn tail(disk: &D, count: usize) -> Result<Vec<Line>, Fault> {
        Journal::tail_of(disk, FILE, count)
    }

    /// The last lines of the journal that goes by the name `name`.
    pub(crate) fn tail_of(disk: &D, name: &str, count: usize) -> Result<Vec<Line>, Fault> {
        let mut lines = Vec::new();
        for path in [&*old(name), name] {
            let bytes = match disk.open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.and_then(|file| {
                    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(usize::MAX)];
                    let count = file.read_at(0, &mut bytes)?;
                    bytes.truncate(count);
                    Ok(bytes)
                }),
            };
            let bytes = bytes.map_err(fault(disk, Action::Read, path))?;
            lines.extend(bytes.split(|&byte| byte == b'\n').filter_map(parse));
        }
        lines.drain(..lines.len().saturating_sub(count));
        Ok(lines)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.file.write_at(self.length, bytes).map_err(fault(&self.disk, Action::Write, self.name))?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// What the journal before this one is called.
fn old(name: &str) -> String {
    format!("{name}.old")
}

/// A line; `None` if a crash has left only a part of it.
fn parse(line: &[u8]) -> Option<Line> {
    let (wall_ms, text) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    Some(Line { wall_ms: wall_ms.parse().ok()?, text: text.to_owned() })
}
