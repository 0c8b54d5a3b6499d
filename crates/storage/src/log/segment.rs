//! The files of the log.

use super::header::{Found, HEADER, Header};
use super::window::Window;
use crate::disk::{Disk, DiskFile, fault};
use crate::fault::{Action, Fault};
use consensus::Position;
use std::sync::Arc;

/// The folder of the log.
pub(super) const FOLDER: &str = "log";

const SUFFIX: &str = ".log";

/// A segment in use.
#[derive(Debug)]
pub(super) struct Segment<F> {
    /// Its number.
    pub(super) number: u64,
    /// The last entry before it that still counts.
    pub(super) base: Position,
    /// Its file.
    pub(super) file: Arc<F>,
}

/// The path of a segment.
pub(super) fn path(number: u64) -> String {
    format!("{FOLDER}/{number:016}{SUFFIX}")
}

fn number(name: &str) -> Option<u64> {
    name.strip_suffix(SUFFIX).filter(|digits| digits.len() == 16)?.parse().ok()
}

/// A segment as it was found on the disk.
pub(super) struct Listed<F> {
    pub(super) number: u64,
    pub(super) file: F,
    pub(super) length: u64,
    pub(super) found: Found,
}

impl<F> Listed<F> {
    /// Its header, unless that is bad.
    pub(super) fn header(&self) -> Option<&Header> {
        match &self.found {
            Found::Header(header) => Some(header),
            Found::Later(_) | Found::Bad => None,
        }
    }
}

/// The segments of the log, in order. Files of other names are nobody's business.
pub(super) fn list<D: Disk>(disk: &D) -> Result<Vec<Listed<D::File>>, Fault> {
    let names = disk.list(FOLDER).map_err(fault(disk, Action::List, FOLDER))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number(name)).collect();
    numbers.sort_unstable();
    numbers.into_iter().map(|number| look(disk, number)).collect()
}

fn look<D: Disk>(disk: &D, number: u64) -> Result<Listed<D::File>, Fault> {
    let path = path(number);
    let file = disk.open(&path).map_err(fault(disk, Action::Open, &path))?;
    let length = file.len().map_err(fault(disk, Action::Read, &path))?;
    let mut window = Window::of(&file, HEADER as usize);
    let found = Header::decode(window.at(0, HEADER as usize).map_err(fault(disk, Action::Read, &path))?);
    // A whole header under another file's name is as good as none.
    let found = match found {
        Found::Header(header) if header.segment != number => Found::Bad,
        found => found,
    };
    Ok(Listed { number, file, length, found })
}
