//! Mends a pseudo-header of old clients.
//!
//! clientv3 3.4 dials `endpoint status` and its siblings through grpc-go's passthrough resolver, which then puts the whole
//! endpoint, scheme and all, into `:authority`: `http://127.0.0.1:2379`. Go's server does not look; ours takes it for a malformed
//! request and resets the stream before any of our code sees it. So the bytes are mended on their way in: `http://` becomes
//! `httpB--`, which is a name like any other. As plain text and as HPACK's Huffman code the two have the same length, bit by bit,
//! so that nothing moves and the compression tables of both ends stay alike (RFC 7541).
//!
//! ```text
//!   preface ─▶ frames until the first HEADERS ─┬─ well-formed: the rest passes untouched, unseen
//!                                              └─ malformed: every HEADERS is looked at from here on
//! ```

use bytes::{Buf, BytesMut};
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// length: 3 bytes, type, flags, stream: 4 bytes (RFC 9113 §4.1)
const FRAME_HEAD: usize = 9;
const HEADERS: u8 = 1;
const PADDED: u8 = 0x08;
const PRIORITY: u8 = 0x20;
/// A HEADERS frame that is longer than a server allows by default is not waited for.
const HEADERS_MAX: usize = 16 << 10;
/// `:authority` in HPACK's static table.
const AUTHORITY: u64 = 1;

/// `http://` and `https://`, and what they become: as text, and in the Huffman code of RFC 7541, Appendix B, where `:` and `B` are
/// the 7 bits 1011100 and 1011101, and `/` and `-` the 6 bits 011000 and 010110. Of the last byte only the upper bits count.
const PLAIN: [(&[u8], &[u8]); 2] = [(b"http://", b"httpB--"), (b"https://", b"httpsB--")];
const HUFFMAN: [(&[u8], &[u8], u8); 2] = [
    (&[0x9d, 0x29, 0xae, 0xe3, 0x0c, 0x00], &[0x9d, 0x29, 0xae, 0xea, 0xcb, 0x00], 0b1000_0000),
    (&[0x9d, 0x29, 0xad, 0x17, 0x18, 0x60], &[0x9d, 0x29, 0xad, 0x17, 0x56, 0x58], 0b1111_1100),
];

/// A connection whose `:authority` is mended.
#[derive(Debug)]
pub(super) struct Mended<S> {
    inner: S,
    /// What was read and not yet handed on.
    buffer: BytesMut,
    /// How much of the buffer may be handed on.
    clear: usize,
    state: State,
    /// By when the client must have shown which HTTP it speaks.
    deadline: Pin<Box<Sleep>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nothing was read yet, or not the whole preface.
    Preface,
    /// Between frames; `known`: the client is known to need mending.
    Frames { known: bool },
    /// Within a frame that is none of HEADERS: so many bytes are to come.
    Within { left: usize, known: bool },
    /// Nothing more is looked at.
    Through,
}

impl<S> Mended<S> {
    pub(super) fn new(inner: S, patience: Duration) -> Mended<S> {
        let deadline = Box::pin(sleep(patience));
        Mended { inner, buffer: BytesMut::new(), clear: 0, state: State::Preface, deadline }
    }

    /// Looks at what is in the buffer and clears as much as can be.
    fn look(&mut self) {
        loop {
            let unseen = self.buffer.len() - self.clear;
            match self.state {
                State::Through => {
                    self.clear = self.buffer.len();
                    return;
                }
                State::Preface => {
                    let seen = unseen.min(PREFACE.len());
                    if self.buffer[self.clear..][..seen] != PREFACE[..seen] {
                        self.state = State::Through;
                    } else if seen < PREFACE.len() {
                        return;
                    } else {
                        self.clear += PREFACE.len();
                        self.state = State::Frames { known: false };
                    }
                }
                State::Within { left, known } => {
                    let passed = left.min(unseen);
                    self.clear += passed;
                    if passed < left {
                        self.state = State::Within { left: left - passed, known };
                        return;
                    }
                    self.state = State::Frames { known };
                }
                State::Frames { known } => match self.frame(known) {
                    Some(next) => self.state = next,
                    None => return,
                },
            }
        }
    }

    /// What follows from the frame at the beginning of what is unseen; `None` if it has to arrive first.
    fn frame(&mut self, known: bool) -> Option<State> {
        let unseen = &mut self.buffer[self.clear..];
        let head = unseen.get(..FRAME_HEAD)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let (kind, flags) = (head[3], head[4]);
        if kind != HEADERS || length > HEADERS_MAX {
            self.clear += FRAME_HEAD;
            return Some(State::Within { left: length, known });
        }
        let payload = unseen.get_mut(FRAME_HEAD..FRAME_HEAD + length)?;
        let skipped = usize::from(flags & PADDED != 0) + if flags & PRIORITY != 0 { 5 } else { 0 };
        let mended = payload.get_mut(skipped..).is_some_and(mend);
        self.clear += FRAME_HEAD + length;
        Some(if mended || known { State::Frames { known: true } } else { State::Through })
    }
}

/// Mends a block of headers; true if that was needed.
fn mend(block: &mut [u8]) -> bool {
    let mut at = 0;
    while at < block.len() {
        let Some((value, next)) = representation(block, at) else { return false };
        if let Some((from, to, huffman)) = value {
            return mend_value(&mut block[from..to], huffman);
        }
        at = next;
    }
    false
}

/// Where the value of a literal `:authority` stands, and whether it is Huffman-coded.
type Value = Option<(usize, usize, bool)>;

/// Passes over the representation at `at` (RFC 7541 §6): the value, if it is the one, and where the next begins. `None` if it is
/// cut short or malformed, which is for the server to say.
fn representation(block: &[u8], at: usize) -> Option<(Value, usize)> {
    let first = *block.get(at)?;
    let (prefix, literal) = match first {
        0x80.. => (7, false),      // indexed: name and value from a table
        0x40..=0x7f => (6, true),  // literal, to be remembered
        0x20..=0x3f => (5, false), // the size of the table changes
        0x00..=0x1f => (4, true),  // literal, not to be remembered
    };
    let (index, mut next) = integer(block, at, prefix)?;
    if !literal {
        return Some((None, next));
    }
    if index == 0 {
        (_, _, next) = string(block, next)?;
    }
    let (from, huffman, to) = string(block, next)?;
    let value = if index == AUTHORITY { Some((from, to, huffman)) } else { None };
    Some((value, to))
}

/// Where the string at `at` begins, whether it is Huffman-coded, and where it ends (RFC 7541 §5.2).
fn string(block: &[u8], at: usize) -> Option<(usize, bool, usize)> {
    let huffman = *block.get(at)? & 0x80 != 0;
    let (length, from) = integer(block, at, 7)?;
    let to = from.checked_add(usize::try_from(length).ok()?)?;
    if to <= block.len() { Some((from, huffman, to)) } else { None }
}

/// The integer at `at` with so many bits in its first byte, and where it ends (RFC 7541 §5.1).
fn integer(block: &[u8], at: usize, prefix: u32) -> Option<(u64, usize)> {
    let mask = (1_u64 << prefix) - 1;
    let mut value = u64::from(*block.get(at)?) & mask;
    if value < mask {
        return Some((value, at + 1));
    }
    for (count, &byte) in block.get(at + 1..)?.iter().enumerate().take(8) {
        value += u64::from(byte & 0x7f) << (7 * count);
        if byte & 0x80 == 0 {
            return Some((value, at + 2 + count));
        }
    }
    None
}

fn mend_value(value: &mut [u8], huffman: bool) -> bool {
    if huffman {
        for (wrong, right, mask) in HUFFMAN {
            let last = wrong.len() - 1;
            if value.len() > last && value[..last] == wrong[..last] && value[last] & mask == wrong[last] & mask {
                value[..last].copy_from_slice(&right[..last]);
                value[last] = right[last] & mask | value[last] & !mask;
                return true;
            }
        }
        return false;
    }
    for (wrong, right) in PLAIN {
        if value.starts_with(wrong) {
            value[..right.len()].copy_from_slice(right);
            return true;
        }
    }
    false
}

impl<S: AsyncRead + Unpin> AsyncRead for Mended<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        loop {
            if this.clear > 0 {
                let count = this.clear.min(out.remaining());
                out.put_slice(&this.buffer[..count]);
                this.buffer.advance(count);
                this.clear -= count;
                return Poll::Ready(Ok(()));
            }
            if this.state == State::Through {
                // It is of no more use, and there may be ten thousand of them.
                this.buffer = BytesMut::new();
                return Pin::new(&mut this.inner).poll_read(cx, out);
            }
            let mut space = [0; 8 << 10];
            let mut read = ReadBuf::new(&mut space);
            match Pin::new(&mut this.inner).poll_read(cx, &mut read) {
                Poll::Ready(read) => read?,
                // A connection costs an open file, so it may not say nothing for ever.
                Poll::Pending if this.state == State::Preface && this.deadline.as_mut().poll(cx).is_ready() => {
                    return Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the client does not say which HTTP it speaks")));
                }
                Poll::Pending => return Poll::Pending,
            }
            if read.filled().is_empty() {
                // The end: what was held back will never be whole.
                this.state = State::Through;
                this.clear = this.buffer.len();
                if this.clear == 0 {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            this.buffer.extend_from_slice(read.filled());
            this.look();
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Mended<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    /// A HEADERS frame with `:method: POST` from the static table and a literal `:authority`.
    fn headers(value: &[u8], huffman: bool) -> Vec<u8> {
        let mut block = vec![0x83, 0x41, value.len() as u8 | if huffman { 0x80 } else { 0 }];
        block.extend_from_slice(value);
        block.push(0x86);
        let mut frame = vec![0, 0, block.len() as u8, HEADERS, 0x04, 0, 0, 0, 1];
        frame.extend(block);
        frame
    }

    fn conversation(frames: &[Vec<u8>]) -> Vec<u8> {
        let settings = vec![0, 0, 0, 4, 0, 0, 0, 0, 0];
        [PREFACE.to_vec(), settings].into_iter().chain(frames.iter().cloned()).flatten().collect()
    }

    /// What arrives if the bytes come in pieces of `size`.
    async fn through(bytes: &[u8], size: usize) -> Vec<u8> {
        let (mut sender, receiver) = tokio::io::duplex(1 << 16);
        let bytes = bytes.to_vec();
        let sending = async move {
            for piece in bytes.chunks(size) {
                tokio::io::AsyncWriteExt::write_all(&mut sender, piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let mut mended = Mended::new(receiver, Duration::from_secs(60));
        let mut arrived = Vec::new();
        let (_, read) = tokio::join!(sending, mended.read_to_end(&mut arrived));
        read.unwrap();
        arrived
    }

    #[tokio::test]
    async fn a_scheme_in_the_authority_is_mended_however_it_arrives() {
        let wrong = conversation(&[headers(b"http://127.0.0.1:2379", false), headers(b"https://a:1", false)]);
        let right = conversation(&[headers(b"httpB--127.0.0.1:2379", false), headers(b"httpsB--a:1", false)]);
        for size in [1, 3, 24, 1000] {
            assert_eq!(through(&wrong, size).await, right, "in pieces of {size}");
        }
    }

    #[tokio::test]
    async fn huffman_codes_are_mended_in_place() {
        // `http://a` and `httpB--a`: 41 bits, then `a` (00011), then two bits of padding.
        let wrong = [0x9d, 0x29, 0xae, 0xe3, 0x0c, 0x0f];
        let right = [0x9d, 0x29, 0xae, 0xea, 0xcb, 0x0f];
        assert_eq!(through(&conversation(&[headers(&wrong, true)]), 7).await, conversation(&[headers(&right, true)]));
    }

    #[tokio::test]
    async fn who_says_nothing_is_not_waited_for() {
        for said in [&b""[..], b"PRI * HT"] {
            let (mut client, receiver) = tokio::io::duplex(64);
            tokio::io::AsyncWriteExt::write_all(&mut client, said).await.unwrap();
            let mut mended = Mended::new(receiver, Duration::from_millis(20));
            let ended = mended.read_to_end(&mut Vec::new()).await;
            assert_eq!(ended.unwrap_err().kind(), ErrorKind::TimedOut);
        }
    }

    #[tokio::test]
    async fn what_is_right_passes_untouched() {
        let right = conversation(&[headers(b"127.0.0.1:2379", false), headers(b"http://later", false)]);
        assert_eq!(through(&right, 5).await, right, "after the first request nothing is looked at");
        let other = b"GET /health HTTP/1.1\r\nhost: http://x\r\n\r\n";
        assert_eq!(through(other, 2).await, other);
        let cut = &conversation(&[headers(b"http://a:1", false)])[..40];
        assert_eq!(through(cut, 100).await, cut, "what ends in the middle is handed on as it is");
    }
}
