//! Jute's plain types out of pieces whose borders mean nothing.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::{Buf, Bytes};
use consensus::RestoreError;

/// Room made for what a length promises before its bytes were seen.
const TRUST: usize = 64 << 10;

pub(super) struct Reader<'a> {
    chunks: &'a mut dyn Iterator<Item = Bytes>,
    chunk: Bytes,
    offset: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(chunks: &'a mut dyn Iterator<Item = Bytes>) -> Reader<'a> {
        Reader { chunks, chunk: Bytes::new(), offset: 0 }
    }

    /// Bytes read so far.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn is_at_end(&mut self) -> bool {
        while self.chunk.is_empty() {
            match self.chunks.next() {
                Some(chunk) => self.chunk = chunk,
                None => return true,
            }
        }
        false
    }

    pub(super) fn error(&self, expected: &str) -> RestoreError {
        Reader::error_at(self.offset, expected)
    }

    pub(super) fn error_at(offset: u64, expected: &str) -> RestoreError {
        RestoreError { offset, expected: expected.into() }
    }

    pub(super) fn i32(&mut self, what: &str) -> Result<i32, RestoreError> {
        self.array(what).map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self, what: &str) -> Result<i64, RestoreError> {
        self.array(what).map(i64::from_be_bytes)
    }

    /// How many of something follow. Java reads −1 as a list that is not there.
    pub(super) fn count(&mut self, what: &str) -> Result<u32, RestoreError> {
        let at = self.offset;
        match self.i32(what)? {
            -1 => Ok(0),
            count => u32::try_from(count).map_err(|_| Reader::error_at(at, what)),
        }
    }

    /// A buffer, which may be null.
    pub(super) fn buffer(&mut self, what: &str) -> Result<Option<Vec<u8>>, RestoreError> {
        let at = self.offset;
        let len = match self.i32(what)? {
            -1 => return Ok(None),
            len => usize::try_from(len).map_err(|_| Reader::error_at(at, &format!("{what}, not of {len} bytes")))?,
        };
        let mut bytes = Vec::with_capacity(len.min(TRUST));
        while bytes.len() < len {
            if self.is_at_end() {
                return Err(self.error(&format!("{} more bytes of {what}", len - bytes.len())));
            }
            let piece = self.chunk.split_to(self.chunk.len().min(len - bytes.len()));
            self.offset += piece.len() as u64;
            bytes.extend_from_slice(&piece);
        }
        Ok(Some(bytes))
    }

    /// A string, which must not be null.
    pub(super) fn string(&mut self, what: &str) -> Result<String, RestoreError> {
        let at = self.offset;
        let bytes = self.buffer(what)?.ok_or_else(|| Reader::error_at(at, what))?;
        String::from_utf8(bytes).map_err(|_| Reader::error_at(at, &format!("{what} in UTF-8")))
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], RestoreError> {
        let mut array = [0; N];
        let mut filled = 0;
        while filled < N {
            if self.is_at_end() {
                return Err(self.error(what));
            }
            let piece = self.chunk.len().min(N - filled);
            self.chunk.copy_to_slice(&mut array[filled..filled + piece]);
            filled += piece;
            self.offset += piece as u64;
        }
        Ok(array)
    }
}
