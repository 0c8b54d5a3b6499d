//! Where a snapshot on the wire ends: nobody says how long it is, so it is read as it passes.
//!
//! ```text
//! │ count │ session: long, timeout: int │ … │ count │ key: long, access list │ … │ path │ data │ key: long │ 60 bytes │ … │ "/" │ "BenWasHere" │
//! └───────── sessions ─────────┘ └──────── access lists ────────┘ └────────────── nodes ──────────────┘  end   signature
//! ```
//!
//! The body up to and including its end is what a snapshot file holds between its header and its first seal.

use crate::Malformed;
use bytes::Bytes;

/// What comes after the body.
const SIGNATURE: &[u8] = b"\0\0\0\x0aBenWasHere";

/// What comes after the body of a snapshot on the wire (Java: `LearnerHandler.run`).
pub fn signature() -> Bytes {
    Bytes::from_static(SIGNATURE)
}

/// A node's bytes behind its data: the key of its access list, and its numbers.
const NODE_TAIL: usize = 68;

/// Follows a snapshot as it passes, whatever pieces it comes in.
#[derive(Debug)]
pub struct Scanner {
    limit: usize,
    state: State,
    /// Bytes to pass over before anything is looked at again.
    skip: u64,
    /// What was seen of the field that is to be looked at.
    field: Vec<u8>,
    passed: u64,
}

/// What a piece was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scanned {
    /// So many of its bytes belong to the body.
    pub body: usize,
    /// So many of its bytes belong to body and signature: packets follow.
    pub used: usize,
    /// The signature is complete.
    pub done: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    SessionCount,
    ListCount,
    ListHead { lists: u32 },
    LineScheme { lists: u32, lines: u32 },
    LineId { lists: u32, lines: u32 },
    Path,
    Root,
    Data,
    Signature,
    Done,
}

impl State {
    /// How many bytes have to be looked at.
    fn field(self) -> usize {
        match self {
            State::ListHead { .. } => 12,
            State::LineScheme { .. } => 8,
            State::Root => 1,
            State::Signature => SIGNATURE.len(),
            State::Done => 0,
            _ => 4,
        }
    }
}

impl Scanner {
    /// At the beginning of a snapshot. `limit` is [`crate::jute::length_limit`].
    pub fn new(limit: usize) -> Scanner {
        Scanner { limit, state: State::SessionCount, skip: 0, field: Vec::new(), passed: 0 }
    }

    /// Follows the next piece. After an error the connection is to be closed.
    pub fn scan(&mut self, piece: &[u8]) -> Result<Scanned, Malformed> {
        let (mut used, mut body) = (0, 0);
        while self.state != State::Done {
            let left = &piece[used..];
            let skipped = self.skip.min(left.len() as u64) as usize;
            self.skip -= skipped as u64;
            let wanted = (self.state.field() - self.field.len()).min(left.len() - skipped);
            self.field.extend_from_slice(&left[skipped..skipped + wanted]);
            used += skipped + wanted;
            self.passed += (skipped + wanted) as u64;
            if self.state != State::Signature {
                body = used;
            }
            if self.skip > 0 || self.field.len() < self.state.field() {
                break;
            }
            let field = std::mem::take(&mut self.field);
            self.state = self.look(&field)?;
        }
        Ok(Scanned { body, used, done: self.state == State::Done })
    }

    /// Looks at a field that is complete.
    fn look(&mut self, field: &[u8]) -> Result<State, Malformed> {
        Ok(match self.state {
            State::SessionCount => {
                self.skip = u64::from(self.count(field)?) * 12;
                State::ListCount
            }
            State::ListCount => next_list(self.count(field)?),
            State::ListHead { lists } => {
                let lines = self.count(&field[8..])?;
                next_line(lists, lines)
            }
            State::LineScheme { lists, lines } => {
                self.skip = self.length(&field[4..])?;
                State::LineId { lists, lines }
            }
            State::LineId { lists, lines } => {
                self.skip = self.length(field)?;
                next_line(lists, lines - 1)
            }
            State::Path => match self.length(field)? {
                1 => State::Root,
                length => {
                    self.skip = length;
                    State::Data
                }
            },
            State::Root => match field {
                b"/" => State::Signature,
                _ => return Err(self.refuse("a path that begins with /", None)),
            },
            State::Data => {
                self.skip = self.length(field)? + NODE_TAIL as u64;
                State::Path
            }
            State::Signature if field == SIGNATURE => State::Done,
            State::Signature => return Err(self.refuse("the signature of a snapshot", None)),
            State::Done => State::Done,
        })
    }

    fn count(&self, field: &[u8]) -> Result<u32, Malformed> {
        let count = int(field);
        u32::try_from(count.max(0)).ok().filter(|_| count >= -1).ok_or_else(|| self.refuse("a count", Some(count)))
    }

    fn length(&self, field: &[u8]) -> Result<u64, Malformed> {
        match int(field) {
            -1 => Ok(0),
            length if length >= 0 && length as usize <= self.limit => Ok(length as u64),
            length => Err(self.refuse("a length within the limit", Some(length))),
        }
    }

    /// The place is that behind the field.
    fn refuse(&self, expected: &'static str, found: Option<i32>) -> Malformed {
        Malformed { offset: self.passed as usize, expected: expected.into(), found: found.map(i64::from) }
    }
}

fn next_list(lists: u32) -> State {
    if lists == 0 { State::Path } else { State::ListHead { lists } }
}

fn next_line(lists: u32, lines: u32) -> State {
    if lines == 0 { next_list(lists - 1) } else { State::LineScheme { lists, lines } }
}

fn int(field: &[u8]) -> i32 {
    i32::from_be_bytes(*field.first_chunk().expect("a field of four bytes or more"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jute::Writer;

    /// Sessions, access lists, nodes, then two bytes of the next packet.
    fn stream() -> (Vec<u8>, usize) {
        let mut writer = Writer::new();
        writer.int(2);
        writer.raw(&[7; 24]);
        writer.int(2);
        for lines in [1, 2] {
            writer.long(5);
            writer.int(lines);
            for _ in 0..lines {
                writer.int(31);
                writer.string("world");
                writer.string("anyone");
            }
        }
        for path in ["", "/a", "/a/b"] {
            writer.string(path);
            writer.buffer(if path == "/a" { None } else { Some(b"data") });
            writer.raw(&[1; NODE_TAIL]);
        }
        writer.string("/");
        let body = writer.len();
        writer.raw(SIGNATURE);
        writer.raw(&[9, 9]);
        (writer.finish().to_vec(), body)
    }

    #[test]
    fn the_end_is_found_whatever_the_pieces() {
        let (stream, body) = stream();
        for size in 1..=stream.len() {
            let mut scanner = Scanner::new(1 << 20);
            let (mut bodies, mut used, mut done) = (0, 0, false);
            for piece in stream.chunks(size) {
                let scanned = scanner.scan(piece).unwrap();
                bodies += scanned.body;
                used += scanned.used;
                done = scanned.done;
                if done {
                    break;
                }
            }
            assert!(done, "pieces of {size}");
            assert_eq!((bodies, used), (body, body + SIGNATURE.len()), "pieces of {size}");
        }
    }

    #[test]
    fn a_wrong_signature_is_refused() {
        let (mut stream, body) = stream();
        stream[body + 5] ^= 1;
        assert!(Scanner::new(1 << 20).scan(&stream).is_err());
    }

    #[test]
    fn a_negative_length_is_refused() {
        let bytes = [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x00];
        let refused = Scanner::new(1 << 20).scan(&bytes).unwrap_err();
        assert_eq!(refused.to_string(), "byte 12: expected a length within the limit, found -256");
    }
}
