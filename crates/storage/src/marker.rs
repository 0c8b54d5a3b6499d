//! The file that says whose data a folder holds.
//!
//! ```text
//!   quorate data folder, format 1
//!   identity 00000000000000aa00000000000000bb
//!   state member                                  or: unborn
//!   checksum 1f2e3d4c
//! ```
//!
//! It is written twice when a member is created: *unborn* before anything else is in the folder, *member* after everything is
//! durable. So what a crash in between has left is told from a member whose log is gone.

use crate::disk::{Disk, DiskFile, fault};
use crate::fault::{Action, Fault};
use crate::identity::Identity;
use crate::store::OpenError;
use std::io;

pub(crate) const FILE: &str = "quorate";
pub(crate) const UNFINISHED: &str = "quorate.tmp";

const FORMAT: u32 = 1;
const TITLE: &str = "quorate data folder, format ";

/// What the file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Marker {
    /// Whose data it is.
    pub(crate) identity: Identity,
    /// Whether the member came to be.
    pub(crate) born: bool,
}

impl Marker {
    /// Reads the file, if there is one.
    pub(crate) fn read<D: Disk>(disk: &D) -> Result<Option<Marker>, OpenError> {
        let file = match disk.open(FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(fault(disk, Action::Open, FILE))?,
        };
        let mut bytes = [0; 256];
        let count = file.read_at(0, &mut bytes).map_err(fault(disk, Action::Read, FILE))?;
        let text = std::str::from_utf8(&bytes[..count]).ok();
        let format = text.and_then(|text| text.strip_prefix(TITLE)?.lines().next()?.parse().ok());
        match format {
            Some(found) if found > FORMAT => Err(OpenError::Version { file: disk.describe(FILE), found, known: FORMAT }),
            _ => match text.and_then(Marker::parse) {
                Some(marker) => Ok(Some(marker)),
                None => Err(OpenError::BadMarker { file: disk.describe(FILE) }),
            },
        }
    }

    /// Writes the file, durably, in place of what it said before.
    pub(crate) fn write<D: Disk>(&self, disk: &D) -> Result<(), Fault> {
        match disk.remove(UNFINISHED) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(fault(disk, Action::Remove, UNFINISHED)(error));
            }
            _ => {}
        }
        let file = disk.create(UNFINISHED).map_err(fault(disk, Action::Create, UNFINISHED))?;
        file.write_at(0, self.text().as_bytes()).map_err(fault(disk, Action::Write, UNFINISHED))?;
        file.sync().map_err(fault(disk, Action::Sync, UNFINISHED))?;
        disk.rename(UNFINISHED, FILE).map_err(fault(disk, Action::Rename, UNFINISHED))?;
        disk.sync_dir("").map_err(fault(disk, Action::Sync, ""))
    }

    fn text(&self) -> String {
        let identity = u128::from_be_bytes(self.identity.0);
        let state = if self.born { "member" } else { "unborn" };
        let text = format!("{TITLE}{FORMAT}\nidentity {identity:032x}\nstate {state}\n");
        format!("{text}checksum {:08x}\n", crc32c::crc32c(text.as_bytes()))
    }

    fn parse(text: &str) -> Option<Marker> {
        let mut lines = text.lines().skip(1);
        let identity = u128::from_str_radix(lines.next()?.strip_prefix("identity ")?, 16).ok()?;
        let born = lines.next()?.strip_prefix("state ")? == "member";
        let marker = Marker { identity: Identity(identity.to_be_bytes()), born };
        // What it would say, checksum and all, is what it says.
        (marker.text() == text).then_some(marker)
    }
}
