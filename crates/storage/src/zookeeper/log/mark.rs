//! A witness of what was durable, in the zeros behind the last record.
//!
//! ```text
//!   │ record │ record │ zeros  │ mark: magic, file u64, upto u64, CRC-32C u32 │ zeros …
//!                     ▲        ▲
//!                     upto     the next sector that leaves room for a record's length
//! ```
//!
//! After each sync the log says so here, without syncing that. Java reads nothing behind a record whose length is zero, and neither
//! writes to files of others, so to Java the mark is not there. Who writes the next records writes over it.

use super::record::RECORD_HEAD;

/// Bytes of a mark.
pub(super) const MARK: usize = 28;

/// The smallest piece that a disk writes whole.
pub(super) const SECTOR: u64 = 512;

const MAGIC: [u8; 8] = *b"QUORMRK\n";

/// Where the mark stands that says that everything before `end` is durable.
pub(super) fn place(end: u64) -> u64 {
    (end + RECORD_HEAD as u64).next_multiple_of(SECTOR)
}

/// The mark of a file that is durable up to byte `upto`.
pub(super) fn encode(file: u64, upto: u64) -> [u8; MARK] {
    let mut mark = [0; MARK];
    mark[..8].copy_from_slice(&MAGIC);
    mark[8..16].copy_from_slice(&file.to_be_bytes());
    mark[16..24].copy_from_slice(&upto.to_be_bytes());
    let checksum = crc32c::crc32c(&mark[..24]);
    mark[24..].copy_from_slice(&checksum.to_be_bytes());
    mark
}

/// What a mark of this file says, if these bytes are one.
pub(super) fn decode(file: u64, bytes: &[u8]) -> Option<u64> {
    let mark = bytes.get(..MARK).filter(|mark| mark.starts_with(&MAGIC))?;
    let upto = u64::from_be_bytes(mark[16..24].try_into().ok()?);
    (encode(file, upto) == mark).then_some(upto)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_one_file_and_whole_or_none() {
        let mark = encode(7, 1234);
        assert_eq!(decode(7, &mark), Some(1234));
        assert_eq!(decode(8, &mark), None);
        for bit in 0..MARK * 8 {
            let mut damaged = mark;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(7, &damaged), None, "bit {bit}");
        }
        assert_eq!((place(100), place(500), place(501)), (512, 512, 1024));
    }
}
