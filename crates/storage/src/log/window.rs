//! Reads a file from front to back, a megabyte at a time.

use crate::disk::DiskFile;
use std::io;

const BYTES: usize = 1 << 20;

/// A part of a file, in memory.
pub(super) struct Window<'a, F> {
    file: &'a F,
    size: usize,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a, F: DiskFile> Window<'a, F> {
    /// A window for who reads all of the file.
    pub(super) fn new(file: &'a F) -> Window<'a, F> {
        Window::of(file, BYTES)
    }

    /// A window that reads `size` bytes at a time.
    pub(super) fn of(file: &'a F, size: usize) -> Window<'a, F> {
        Window { file, size, start: 0, bytes: Vec::new() }
    }

    /// The `length` bytes at `offset`; fewer at the end of the file.
    pub(super) fn at(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let end = self.start + self.bytes.len() as u64;
        if offset < self.start || offset + length as u64 > end {
            self.bytes.resize(length.max(self.size), 0);
            let count = self.file.read_at(offset, &mut self.bytes)?;
            self.bytes.truncate(count);
            self.start = offset;
        }
        let from = (offset - self.start) as usize;
        let upto = (from + length).min(self.bytes.len());
        Ok(&self.bytes[from..upto])
    }
}
