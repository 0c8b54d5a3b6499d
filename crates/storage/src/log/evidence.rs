//! Tells a torn tail from damage.
//!
//! Where the records end, or seem to, one question decides: was the record that should stand here ever durable? Nothing at this place
//! can tell, but whatever was written later says up to which record the log was durable *then*:
//!
//! ```text
//!        records    │ 17 │ 18 │ ?? │ 20 │ 21 │ 0000…
//!        synced     │ 15 │ 15 │    │ 18 │ 18 │            nobody says that 19 was durable: torn, cut here
//!        synced     │ 15 │ 15 │    │ 18 │ 20 │            21 says that 20 was, so 19 was, too: damage
//! ```
//!
//! So everything behind the place is searched for records, marks and headers that are whole. After each sync the log also
//! leaves a mark in the next sector, so that the last records of a log at rest have a witness that does not share their sector.
//!
//! What cannot be told apart: damage to the very last records that were synced, if power failed before anything later (the next
//! batch, or the mark) reached the disk. It looks like a tail that was torn.

use super::record::{ALIGN, Head, RECORD_HEADER, Seed};
use super::window::Window;
use crate::disk::DiskFile;
use std::io;
use std::ops::RangeInclusive;

/// Bytes looked at together.
const STRIDE: usize = 64 << 10;

/// More than all segments behind any place hold.
const MOST_BYTES: u64 = 1 << 40;

/// What was found behind a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Evidence {
    /// The highest record that something whole says was durable; 0 if nothing says anything.
    pub(super) synced: u64,
    /// Behind the last byte that is neither zero nor part of the mark that says that everything up to the place was durable.
    pub(super) end: u64,
}

/// Searches the bytes of a segment from `from` on, where record number `next` should stand but does not. Stops early once it is
/// known to have been durable.
pub(super) fn search<F: DiskFile>(file: &F, seed: Seed, from: u64, length: u64, next: u64) -> io::Result<Evidence> {
    let mut evidence = Evidence { synced: 0, end: from };
    // Records take room: nothing behind this place can have a higher number.
    let highest = next.saturating_add(MOST_BYTES / RECORD_HEADER as u64);
    let (mut strides, mut records) = (Window::new(file, length), Window::new(file, length));
    let mut at = from.next_multiple_of(ALIGN);
    while at < length {
        let stride = strides.at(at, STRIDE)?;
        if stride.is_empty() {
            break;
        }
        let mut skip = stride.len() as u64;
        if stride.iter().any(|&byte| byte != 0) {
            for offset in (0..stride.len()).step_by(ALIGN as usize) {
                let word = &stride[offset..stride.len().min(offset + ALIGN as usize)];
                if word.iter().all(|&byte| byte == 0) {
                    continue;
                }
                let place = at + offset as u64;
                let Some(head) = record_at(&mut records, seed, place, length, next..=highest)? else {
                    evidence.end = place + word.len() as u64;
                    continue;
                };
                evidence.synced = evidence.synced.max(head.synced);
                if evidence.synced >= next {
                    return Ok(evidence);
                }
                if head.length > 0 || head.number != next {
                    evidence.end = place + head.size();
                }
                skip = offset as u64 + head.size();
                break;
            }
        }
        at += skip.next_multiple_of(ALIGN);
    }
    Ok(evidence)
}

/// The head of the whole record or mark at `offset`, if there is one.
fn record_at<F: DiskFile>(
    window: &mut Window<'_, F>,
    seed: Seed,
    offset: u64,
    length: u64,
    numbers: RangeInclusive<u64>,
) -> io::Result<Option<Head>> {
    let Some(head) = Head::decode(window.at(offset, RECORD_HEADER)?) else {
        return Ok(None);
    };
    // Cheap, and hardly ever true of other bytes: what comes next reads all of the record.
    if !numbers.contains(&head.number) || head.synced >= head.number || head.size() > length - offset {
        return Ok(None);
    }
    let record = window.at(offset, head.size() as usize)?;
    Ok(head.matches(record, seed, offset).then_some(head))
}
