//! What stands behind the place where records end, or seem to.

use super::mark::{self, SECTOR};
use super::record;
use crate::disk::DiskFile;
use crate::log::window::Window;
use consensus::Position;
use std::io;

/// Bytes looked at together.
const STRIDE: usize = 64 << 10;
/// One of them that is empty.
static ZEROS: [u8; STRIDE] = [0; STRIDE];

/// What was found behind a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Evidence {
    /// The highest offset up to which a mark says that the file was durable; 0 if there is none.
    pub(super) marked: u64,
    /// Where the last of the whole records begins that stand behind the place; 0 if there is none.
    pub(super) record: u64,
    /// Behind the last byte that is not zero; the place itself if there is none.
    pub(super) dirty: u64,
}

/// Searches the bytes of file `number` from `from` on for marks, and for records after `floor`. Stops early at a record that begins
/// at or behind `far`: more need not be known.
pub(super) fn search<F: DiskFile>(
    file: &F,
    number: u64,
    from: u64,
    length: u64,
    floor: Position,
    far: u64,
) -> io::Result<Evidence> {
    let mut evidence = Evidence { dirty: from, ..Evidence::default() };
    let (mut strides, mut records) = (Window::new(file, length), Window::of(file, STRIDE));
    let mut at = from;
    while at < length {
        // Marks stand at the beginning of sectors, so none crosses from one stride into the next.
        let end = (at / SECTOR * SECTOR + STRIDE as u64).min(length);
        let stride = strides.at(at, (end - at) as usize)?;
        if stride.is_empty() {
            break;
        }
        let mut next = at + stride.len() as u64;
        // Nearly all of them are zeros, 64 MiB in each file: they are compared, not counted.
        if *stride != ZEROS[..stride.len()]
            && let Some(last) = stride.iter().rposition(|&byte| byte != 0)
        {
            evidence.dirty = at + last as u64 + 1;
            let mut offset = 0;
            while offset < stride.len() {
                let place = at + offset as u64;
                if place.is_multiple_of(SECTOR)
                    && let Some(upto) = mark::decode(number, &stride[offset..])
                {
                    evidence.marked = evidence.marked.max(upto);
                }
                if could_begin(&stride[offset..])
                    && let Some(record) = record::at(&mut records, place, length, floor)?
                {
                    evidence.record = place;
                    if place >= far {
                        return Ok(evidence);
                    }
                    // Marks within a record are bytes like any other.
                    let end = offset as u64 + record.size();
                    evidence.dirty = evidence.dirty.max(at + end);
                    if end > stride.len() as u64 {
                        next = at + end;
                        break;
                    }
                    offset = end as usize;
                } else {
                    offset += 1;
                }
            }
        }
        at = next;
    }
    Ok(evidence)
}

/// Whether a record could begin with these bytes, as far as can be told cheaply: a checksum of 32 bits in 64, and a length.
fn could_begin(bytes: &[u8]) -> bool {
    match bytes {
        // At the end of a stride less is known.
        [0, 0, 0, 0, rest @ ..] => rest.len() < 8 || rest[..8].iter().any(|&byte| byte != 0),
        _ => bytes.len() < 4,
    }
}
