//! What a snapshot's file holds around the body.
//!
//! ```text
//!   head    "ZKSN", version i32 = 2, dbid i64 = −1
//!   body
//!   seal    Adler-32 of everything so far i64, string "/"
//!   digest  zxid i64, version i32 = 2, sum i64     ┐ absent in files of older servers, or if there is none
//!   seal    of everything so far                   │
//!   zxid    i64: the last transaction processed    │ since 3.9
//!   seal    of everything so far                   ┘
//! ```
//!
//! The checksum runs on over the whole file, seals included (SnapStream.sealStream). Before version 2 the digest's sum was a string.

use simd_adler32::Adler32;

/// The first bytes of every snapshot.
pub(super) const HEAD: [u8; 16] = *b"ZKSN\0\0\0\x02\xff\xff\xff\xff\xff\xff\xff\xff";

/// Bytes of a digest.
pub(super) const DIGEST: usize = 20;

/// The version of digests that is understood.
const DIGEST_VERSION: i32 = 2;

const SEAL: usize = 13;

/// Behind the body, no file holds more.
pub(super) const TAIL_MAX: usize = 1 << 10;

/// What each seal ends with: what Java looks for at the end of a file.
pub(super) const SEAL_END: [u8; 5] = *b"\0\0\0\x01/";

/// The checksum of everything so far.
pub(super) struct Sum(Adler32);

impl Sum {
    pub(super) fn new() -> Sum {
        Sum(Adler32::new())
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    fn seal(&self) -> [u8; SEAL] {
        let mut seal = [0; SEAL];
        seal[4..8].copy_from_slice(&self.0.finish().to_be_bytes());
        seal[8..].copy_from_slice(&SEAL_END);
        seal
    }

    /// What comes behind the body. Without a digest that is one seal only: an older server would take what follows for one.
    pub(super) fn tail(mut self, digest: Option<&[u8; DIGEST]>, zxid: u64) -> Vec<u8> {
        let mut tail = self.seal().to_vec();
        self.add(&tail);
        if let Some(digest) = digest {
            for part in [&digest[..], &zxid.to_be_bytes()] {
                self.add(part);
                tail.extend_from_slice(part);
                let seal = self.seal();
                self.add(&seal);
                tail.extend_from_slice(&seal);
            }
        }
        tail
    }

    /// Checks what was found behind the body and returns the digest, if there is one that is understood.
    ///
    /// # Errors
    ///
    /// Where, from the body's end, something else should be, and what.
    pub(super) fn check(mut self, tail: &[u8]) -> Result<Option<[u8; DIGEST]>, (u64, &'static str)> {
        let mut rest = self.check_seal(tail, tail.len())?;
        let mut digest = None;
        // Which parts there are is not said, but no two make the same length.
        if rest.len() > 8 + SEAL {
            let length = digest_length(rest).ok_or((SEAL as u64, "a digest"))?;
            let (part, after) = rest.split_at(length);
            digest = understood(part);
            self.add(part);
            rest = self.check_seal(after, tail.len())?;
        }
        if !rest.is_empty() {
            let offset = (tail.len() - rest.len()) as u64;
            let (part, after) = rest.split_at_checked(8).ok_or((offset, "the last zxid"))?;
            self.add(part);
            rest = self.check_seal(after, tail.len())?;
        }
        if rest.is_empty() { Ok(digest) } else { Err(((tail.len() - rest.len()) as u64, "the end")) }
    }

    fn check_seal<'a>(&mut self, rest: &'a [u8], whole: usize) -> Result<&'a [u8], (u64, &'static str)> {
        let wrong = ((whole - rest.len()) as u64, "a seal of what comes before");
        let (seal, after) = rest.split_at_checked(SEAL).ok_or(wrong)?;
        if seal != self.seal() {
            return Err(wrong);
        }
        self.add(seal);
        Ok(after)
    }
}

fn digest_length(rest: &[u8]) -> Option<usize> {
    let field = |at: usize| Some(i32::from_be_bytes(rest.get(at..at + 4)?.try_into().ok()?));
    let length = if field(8)? < DIGEST_VERSION { 16 + usize::try_from(field(12)?.max(0)).ok()? } else { DIGEST };
    (length <= rest.len()).then_some(length)
}

/// A digest of our version that is not Java's placeholder for none (zxid 0).
fn understood(part: &[u8]) -> Option<[u8; DIGEST]> {
    let digest: [u8; DIGEST] = part.try_into().ok()?;
    let zxid = i64::from_be_bytes(digest[..8].try_into().ok()?);
    (zxid > 0 && digest[8..12] == DIGEST_VERSION.to_be_bytes()).then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum() -> Sum {
        let mut sum = Sum::new();
        sum.add(b"head and body");
        sum
    }

    fn digest(zxid: i64) -> [u8; DIGEST] {
        let mut digest = [9; DIGEST];
        digest[..8].copy_from_slice(&zxid.to_be_bytes());
        digest[8..12].copy_from_slice(&2i32.to_be_bytes());
        digest
    }

    #[test]
    fn seals_check_each_other() {
        let tail = sum().tail(Some(&digest(7)), 7);
        assert_eq!(tail.len(), 13 + 33 + 21);
        assert_eq!(sum().check(&tail), Ok(Some(digest(7))));
        for bit in 0..tail.len() * 8 {
            let mut damaged = tail.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(sum().check(&damaged).is_err(), "bit {bit}");
        }
        for length in 0..tail.len() {
            // Older servers wrote less, and what they wrote was whole.
            assert_eq!(sum().check(&tail[..length]).is_ok(), [13, 46].contains(&length), "{length} bytes");
        }
    }

    #[test]
    fn a_digest_of_nothing_is_none() {
        let tail = sum().tail(Some(&digest(0)), 7);
        assert_eq!(sum().check(&tail), Ok(None));
        assert_eq!(sum().check(&sum().tail(None, 7)), Ok(None));
    }

    #[test]
    fn a_zxid_alone_is_told_from_a_digest() {
        let mut sealed = sum();
        let mut tail = sealed.seal().to_vec();
        sealed.add(&tail);
        tail.extend(7u64.to_be_bytes());
        sealed.add(&tail[13..]);
        tail.extend(sealed.seal());
        assert_eq!(sum().check(&tail), Ok(None));
    }
}
