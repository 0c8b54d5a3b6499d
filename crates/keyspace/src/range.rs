//! Which keys a request means.

use bytes::Bytes;
use core::ops::Bound;

/// A range of keys, as etcd's requests spell it with `key` and `range_end`:
///
/// | range_end | means                          |
/// |-----------|--------------------------------|
/// | empty     | the key alone                  |
/// | `"\0"`    | the key and all that follow it |
/// | else      | from the key to before the end |
///
/// So `key = "\0"`, `range_end = "\0"` means all keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyRange<'a> {
    /// One key.
    One(&'a Bytes),
    /// From the first, included, to the second, excluded; to the end of all keys if there is no second.
    Span(&'a Bytes, Option<&'a Bytes>),
}

impl<'a> KeyRange<'a> {
    /// The range that `key` and `range_end` spell.
    pub fn new(key: &'a Bytes, range_end: &'a Bytes) -> KeyRange<'a> {
        match &range_end[..] {
            b"" => KeyRange::One(key),
            b"\0" => KeyRange::Span(key, None),
            _ => KeyRange::Span(key, Some(range_end)),
        }
    }

    /// Bounds for an ordered map; `None` if no key lies between them (a map would panic).
    pub(crate) fn bounds(self) -> Option<(Bound<&'a Bytes>, Bound<&'a Bytes>)> {
        match self {
            KeyRange::One(key) => Some((Bound::Included(key), Bound::Included(key))),
            KeyRange::Span(key, None) => Some((Bound::Included(key), Bound::Unbounded)),
            KeyRange::Span(key, Some(end)) if key < end => Some((Bound::Included(key), Bound::Excluded(end))),
            KeyRange::Span(..) => None,
        }
    }
}
