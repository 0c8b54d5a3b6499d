//! The bytes of a snapshot, whether Java packed them or not.

use super::super::folder::Packing;
use crate::disk::DiskFile;
use flate2::read::MultiGzDecoder;
use std::io::{self, BufReader, Read};

/// What every snappy stream of Java's begins with: magic, then two versions.
const SNAPPY_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const SNAPPY_HEAD: usize = 16;

/// The longest block of a snappy stream. Java writes 32 KiB.
const BLOCK_MAX: usize = 64 << 20;

/// The bytes of a snapshot.
pub(super) enum Source<F: DiskFile> {
    Plain(FileReader<F>),
    Gzip(Box<MultiGzDecoder<BufReader<FileReader<F>>>>),
    Snappy(Snappy<BufReader<FileReader<F>>>),
}

impl<F: DiskFile> Source<F> {
    pub(super) fn new(file: F, packing: Packing) -> Source<F> {
        let file = FileReader { file, offset: 0 };
        match packing {
            Packing::Plain => Source::Plain(file),
            Packing::Gzip => Source::Gzip(Box::new(MultiGzDecoder::new(BufReader::new(file)))),
            Packing::Snappy => Source::Snappy(Snappy { inner: BufReader::new(file), begun: false, block: Vec::new(), at: 0 }),
        }
    }

    /// Reads until `buffer` is full or the end: how many bytes there were.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            let part = &mut buffer[done..];
            let count = match self {
                Source::Plain(file) => file.read(part),
                Source::Gzip(gzip) => gzip.read(part),
                Source::Snappy(snappy) => snappy.read(part),
            };
            match count {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}

/// Whether an error tells of bytes that make no sense, rather than of a disk that failed.
pub(super) fn nonsense(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof)
}

/// A file, from front to back.
pub(super) struct FileReader<F> {
    file: F,
    offset: u64,
}

impl<F: DiskFile> Read for FileReader<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(self.offset, buffer)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// A stream of snappy blocks as snappy-java's SnappyOutputStream writes it: the head, then blocks, each after its packed length
/// (i32, big-endian). Where streams were joined, another head stands in a block's place.
pub(super) struct Snappy<R> {
    inner: R,
    begun: bool,
    block: Vec<u8>,
    at: usize,
}

impl<R: Read> Snappy<R> {
    /// Unpacks the next block; false at the end.
    fn next(&mut self) -> io::Result<bool> {
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let mut head = [0; SNAPPY_HEAD];
        loop {
            let mut length = [0; 4];
            if !fill_or_end(&mut self.inner, &mut length)? {
                return if self.begun { Ok(false) } else { Err(wrong("an empty snappy stream")) };
            }
            if length == SNAPPY_MAGIC[..4] {
                head[..4].copy_from_slice(&length);
                self.inner.read_exact(&mut head[4..])?;
                if head[..8] != SNAPPY_MAGIC {
                    return Err(wrong("no snappy stream"));
                }
                self.begun = true;
                continue;
            }
            let length = u32::from_be_bytes(length) as usize;
            if !self.begun || length > BLOCK_MAX {
                return Err(wrong("no snappy block"));
            }
            let mut packed = Vec::new();
            let read = (&mut self.inner).take(length as u64).read_to_end(&mut packed)?;
            if read < length || snap::raw::decompress_len(&packed).map_err(|error| wrong(&error.to_string()))? > BLOCK_MAX {
                return Err(wrong("a whole snappy block"));
            }
            self.block = snap::raw::Decoder::new().decompress_vec(&packed).map_err(|error| wrong(&error.to_string()))?;
            self.at = 0;
            if !self.block.is_empty() {
                return Ok(true);
            }
        }
    }
}

impl<R: Read> Read for Snappy<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.block.len() && !self.next()? {
            return Ok(0);
        }
        let count = buffer.len().min(self.block.len() - self.at);
        buffer[..count].copy_from_slice(&self.block[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Fills the buffer; false if there is nothing at all.
fn fill_or_end(inner: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    let mut done = 0;
    while done < buffer.len() {
        match inner.read(&mut buffer[done..])? {
            0 if done == 0 => return Ok(false),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => done += count,
        }
    }
    Ok(true)
}
