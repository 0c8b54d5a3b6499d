//! Reading: nothing is believed before it was looked at, nothing is set aside on the word of a length or count.

use crate::Malformed;
use bytes::Bytes;

/// The longest string or buffer that is read, unless configured otherwise: [`length_limit`] of Java's defaults.
pub const DEFAULT_LIMIT: usize = length_limit(0xf_ffff, 0xf_ffff);

/// The longest string or buffer that is read where `jute.maxbuffer` and `zookeeper.jute.maxbuffer.extrasize` have these values
/// (Java: `BinaryInputArchive.checkLength`, which takes at least 1024 bytes more than the former).
pub const fn length_limit(max_buffer: usize, extra: usize) -> usize {
    let limit = max_buffer.saturating_add(if extra < 1024 { 1024 } else { extra });
    if limit > i32::MAX as usize { i32::MAX as usize } else { limit }
}

/// Reads one field after the other.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a Bytes,
    offset: usize,
    limit: usize,
}

impl<'a> Reader<'a> {
    /// A reader of all of `bytes`, which takes no string and no buffer longer than `limit`.
    pub fn new(bytes: &'a Bytes, limit: usize) -> Reader<'a> {
        Reader { bytes, offset: 0, limit }
    }

    /// Bytes read so far.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.offset
    }

    /// What was not read yet, as it is. It shares memory with the whole.
    pub fn rest(self) -> Bytes {
        self.bytes.slice(self.offset..)
    }

    /// A boolean: everything but 0 is true, as for Java.
    pub fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.array::<1>("a boolean")?[0] != 0)
    }

    /// A byte.
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>("a byte")?[0])
    }

    /// An int.
    pub fn int(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.array("an int of 4 bytes")?))
    }

    /// A long.
    pub fn long(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_be_bytes(self.array("a long of 8 bytes")?))
    }

    /// A buffer, sharing memory with what is being read.
    pub fn buffer(&mut self) -> Result<Option<Bytes>, Malformed> {
        let Some(length) = self.length()? else { return Ok(None) };
        let begin = self.offset;
        self.offset += length;
        Ok(Some(self.bytes.slice(begin..self.offset)))
    }

    /// A string. What is not UTF-8 in it is replaced, as Java replaces it: paths with such characters are refused where
    /// paths are looked at.
    pub fn string(&mut self) -> Result<Option<String>, Malformed> {
        let Some(length) = self.length()? else { return Ok(None) };
        let begin = self.offset;
        self.offset += length;
        Ok(Some(String::from_utf8_lossy(&self.bytes[begin..self.offset]).into_owned()))
    }

    /// A string that must not be null.
    pub fn text(&mut self, what: &'static str) -> Result<String, Malformed> {
        let offset = self.offset;
        self.string()?.ok_or_else(|| Malformed::at(offset, format!("{what}, not null")))
    }

    /// A vector of items, each of which takes at least a byte.
    pub fn vector<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T, Malformed>) -> Result<Option<Vec<T>>, Malformed> {
        let offset = self.offset;
        let count = self.int()?;
        if count == -1 {
            return Ok(None);
        }
        if count < 0 || count as usize > self.remaining() {
            return Err(Malformed::number(offset, "a count of items that can follow", count.into()));
        }
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(Some(items))
    }

    /// A vector of strings, none of them null; null is empty.
    pub fn texts(&mut self, what: &'static str) -> Result<Vec<String>, Malformed> {
        Ok(self.vector(|reader| reader.text(what))?.unwrap_or_default())
    }

    /// The int at the current place, which stays unread.
    pub(crate) fn peek_int(&self) -> Option<i32> {
        self.bytes[self.offset..].first_chunk().map(|int| i32::from_be_bytes(*int))
    }

    /// Complains about what stands at the current place.
    pub(crate) fn refuse<T>(&self, expected: &'static str) -> Result<T, Malformed> {
        Err(Malformed::at(self.offset, expected))
    }

    /// The length before a string or buffer, all of which is there.
    fn length(&mut self) -> Result<Option<usize>, Malformed> {
        let offset = self.offset;
        let length = self.int()?;
        if length == -1 {
            return Ok(None);
        }
        let within = usize::try_from(length).ok().filter(|&length| length <= self.limit);
        let Some(within) = within else {
            return Err(Malformed::number(offset, format!("a length of at most {}", self.limit), length.into()));
        };
        if within > self.remaining() {
            return Err(Malformed::number(offset, format!("a length within the {} bytes left", self.remaining()), length.into()));
        }
        Ok(Some(within))
    }

    fn array<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], Malformed> {
        match self.bytes[self.offset..].first_chunk::<N>() {
            Some(chunk) => {
                self.offset += N;
                Ok(*chunk)
            }
            None => self.refuse(expected),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &[u8]) -> Bytes {
        Bytes::copy_from_slice(hex)
    }

    #[test]
    fn a_negative_length_is_refused_with_its_place() {
        let bytes = bytes(&[0, 0, 0, 7, 0xff, 0xff, 0xff, 0xfe]);
        let mut reader = Reader::new(&bytes, DEFAULT_LIMIT);
        assert_eq!(reader.int(), Ok(7));
        let refused = reader.buffer().unwrap_err();
        assert_eq!(refused.to_string(), "byte 4: expected a length of at most 2097150, found -2");
    }

    #[test]
    fn a_forged_count_allocates_nothing() {
        let bytes = bytes(&[0x7f, 0xff, 0xff, 0xff, 0, 0]);
        let mut reader = Reader::new(&bytes, DEFAULT_LIMIT);
        assert_eq!(reader.vector(|reader| reader.text("a path")).unwrap_err().found, Some(i64::from(i32::MAX)));
    }

    #[test]
    fn a_long_buffer_is_refused_even_if_it_is_there() {
        let bytes = bytes(&[0, 0, 0, 3, 1, 2, 3]);
        assert_eq!(Reader::new(&bytes, 3).buffer(), Ok(Some(Bytes::from_static(&[1, 2, 3]))));
        assert!(Reader::new(&bytes, 2).buffer().is_err());
    }

    #[test]
    fn the_limit_is_javas() {
        assert_eq!(length_limit(0xf_ffff, 0xf_ffff), 2_097_150);
        assert_eq!(length_limit(4096, 0), 5120);
        assert_eq!(length_limit(usize::MAX, 7), i32::MAX as usize);
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        let bytes = bytes(&[0, 0, 0, 2, b'/', 0xff]);
        assert_eq!(Reader::new(&bytes, 9).text("a path"), Ok("/\u{fffd}".to_owned()));
    }
}
