//! Reads a file from front to back, a megabyte at a time.

use crate::disk::DiskFile;
use std::io;

const BYTES: u64 = 1 << 20;

/// A part of a file, in memory.
pub(crate) struct Window<'a, F> {
    file: &'a F,
    start: u64,
    filled: usize,
    buffer: Vec<u8>,
}

impl<'a, F: DiskFile> Window<'a, F> {
    /// A window for who reads all of a file of `length` bytes.
    pub(crate) fn new(file: &'a F, length: u64) -> Window<'a, F> {
        Window::of(file, length.min(BYTES) as usize)
    }

    /// A window that reads `size` bytes at a time.
    pub(crate) fn of(file: &'a F, size: usize) -> Window<'a, F> {
        Window { file, start: 0, filled: 0, buffer: vec![0; size] }
    }

    /// The `length` bytes at `offset`; fewer at the end of the file.
    pub(crate) fn at(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let end = self.start + self.filled as u64;
        if offset < self.start || offset + length as u64 > end {
            if self.buffer.len() < length {
                self.buffer = vec![0; length];
            }
            self.filled = self.file.read_at(offset, &mut self.buffer)?;
            self.start = offset;
        }
        let from = (offset - self.start) as usize;
        Ok(&self.buffer[from..self.filled.min(from + length)])
    }
}
