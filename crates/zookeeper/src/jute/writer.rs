//! Writing.

use bytes::{BufMut, Bytes, BytesMut};

/// Writes one field after the other.
#[derive(Debug, Default)]
pub struct Writer {
    out: BytesMut,
}

impl Writer {
    /// An empty one.
    pub fn new() -> Writer {
        Writer::default()
    }

    /// An empty one with room for so many bytes.
    pub fn with_capacity(capacity: usize) -> Writer {
        Writer { out: BytesMut::with_capacity(capacity) }
    }

    /// Appends to `out` whatever `contents` writes.
    pub fn append(out: &mut BytesMut, contents: impl FnOnce(&mut Writer)) {
        let mut writer = Writer { out: std::mem::take(out) };
        contents(&mut writer);
        *out = writer.out;
    }

    /// What was written.
    pub fn finish(self) -> Bytes {
        self.out.freeze()
    }

    /// Bytes written.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// A boolean.
    pub fn bool(&mut self, value: bool) {
        self.out.put_u8(value.into());
    }

    /// A byte.
    pub fn byte(&mut self, value: u8) {
        self.out.put_u8(value);
    }

    /// An int.
    pub fn int(&mut self, value: i32) {
        self.out.put_i32(value);
    }

    /// A long.
    pub fn long(&mut self, value: i64) {
        self.out.put_i64(value);
    }

    /// A buffer, or null.
    pub fn buffer(&mut self, value: Option<&[u8]>) {
        match value {
            Some(bytes) => {
                self.count(bytes.len());
                self.out.put_slice(bytes);
            }
            None => self.int(-1),
        }
    }

    /// A string.
    pub fn string(&mut self, value: &str) {
        self.buffer(Some(value.as_bytes()));
    }

    /// A vector.
    pub fn vector<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        self.count(items.len());
        for one in items {
            item(self, one);
        }
    }

    /// A vector of strings.
    pub fn strings<S: AsRef<str>>(&mut self, items: &[S]) {
        self.vector(items, |writer, item| writer.string(item.as_ref()));
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }

    /// Whatever `contents` writes, behind its length: a frame.
    pub fn framed(&mut self, contents: impl FnOnce(&mut Self)) {
        let begin = self.out.len();
        self.int(0);
        contents(self);
        let length = self.out.len() - begin - 4;
        let length = i32::try_from(length).expect("a frame of two gigabytes is not written");
        self.out[begin..begin + 4].copy_from_slice(&length.to_be_bytes());
    }

    /// A length or count. Nothing of two gigabytes is ever written: all of it came in over links with smaller bounds.
    fn count(&mut self, count: usize) {
        self.int(i32::try_from(count).expect("a length that fits an int"));
    }
}
