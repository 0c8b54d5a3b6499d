//! What waits to be written to a peer.

use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// The most bytes that wait. A peer that lets more wait is not reading.
const BYTES_MAX: usize = 128 << 20;
/// Below this, a peer may be given more of what it catches up on.
const DRAINED: usize = 1 << 20;
/// Up to this many bytes are copied to stand together; larger ones stand by themselves.
const COPIED_MAX: usize = 4 << 10;
/// So many pieces are written at a time.
const SLICES: usize = 32;

/// A snapshot on its way out: pieces of its file, in order. It was whole if they end without an error.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) pieces: mpsc::Receiver<Result<Bytes, String>>,
}

/// The queue of one link.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Piece>,
    /// The queue's end, of what is small.
    tail: BytesMut,
    bytes: usize,
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    Snapshot(Leaving),
}

/// What stands at the beginning of the queue.
pub(crate) enum Written {
    /// Nothing: all was written.
    All,
    /// Bytes that the socket does not take now.
    Blocked,
    /// A snapshot, whose next piece must be waited for.
    Snapshot(Leaving),
}

impl Outbox {
    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.bytes += bytes.len();
        if bytes.len() <= COPIED_MAX {
            self.tail.extend_from_slice(&bytes);
        } else {
            self.seal();
            self.queue.push_back(Piece::Bytes(bytes));
        }
    }

    pub(crate) fn push_snapshot(&mut self, leaving: Leaving) {
        self.seal();
        self.queue.push_back(Piece::Snapshot(leaving));
    }

    /// More of the snapshot that was last taken from the beginning; `leaving` is the rest of it.
    pub(crate) fn resume(&mut self, piece: Bytes, leaving: Leaving) {
        self.bytes += piece.len();
        self.queue.push_front(Piece::Snapshot(leaving));
        if !piece.is_empty() {
            self.queue.push_front(Piece::Bytes(piece));
        }
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.bytes <= DRAINED
    }

    pub(crate) fn is_swamped(&self) -> bool {
        self.bytes > BYTES_MAX
    }

    /// Writes what the socket takes.
    pub(crate) fn write(&mut self, stream: &TcpStream) -> io::Result<Written> {
        self.seal();
        loop {
            match self.queue.pop_front() {
                None => return Ok(Written::All),
                Some(Piece::Snapshot(leaving)) => return Ok(Written::Snapshot(leaving)),
                Some(piece) => self.queue.push_front(piece),
            }
            let slices: Vec<IoSlice<'_>> = self.slices().collect();
            let written = match stream.try_write_vectored(&slices) {
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Written::Blocked),
                Err(error) => return Err(error),
            };
            drop(slices);
            self.advance(written);
        }
    }

    fn slices(&self) -> impl Iterator<Item = IoSlice<'_>> {
        self.queue.iter().take(SLICES).map_while(|piece| match piece {
            Piece::Bytes(bytes) => Some(IoSlice::new(bytes)),
            Piece::Snapshot(_) => None,
        })
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(Piece::Bytes(first)) = self.queue.front_mut() {
            let step = written.min(first.len());
            first.advance(step);
            written -= step;
            if !first.is_empty() {
                return;
            }
            self.queue.pop_front();
        }
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.queue.push_back(Piece::Bytes(self.tail.split().freeze()));
        }
    }
}
