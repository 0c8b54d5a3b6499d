//! Writing over what a file holds already: how a recovery makes a tail durable, or void.

use super::DiskFile;
use std::io;

/// Writes what the file holds there once more.
pub(crate) fn write_again<F: DiskFile>(file: &F, from: u64, end: u64) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    let mut offset = from;
    while offset < end {
        let want = usize::try_from(end - offset).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = file.read_at(offset, &mut buffer[..want])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.write_at(offset, &buffer[..count])?;
        offset += count as u64;
    }
    Ok(())
}

/// Writes zeros over what the file holds there.
pub(crate) fn write_zeros<F: DiskFile>(file: &F, from: u64, end: u64) -> io::Result<()> {
    let zeros = vec![0; 1 << 16];
    let mut offset = from;
    while offset < end {
        let count = usize::try_from(end - offset).map_or(zeros.len(), |left| left.min(zeros.len()));
        file.write_at(offset, &zeros[..count])?;
        offset += count as u64;
    }
    Ok(())
}
