//! Jute, the encoding that everything of ZooKeeper's is written in: big-endian numbers, lengths before contents, no tags.
//!
//! ```text
//! boolean  1 byte: 0 is false            ustring   int length, then UTF-8; length −1: null
//! int      4 bytes                       buffer    int length, then bytes; length −1: null
//! long     8 bytes                       vector    int count, then the items; count −1: null
//! ```
//!
//! A record is its fields, one after the other.

mod reader;
mod records;
mod writer;

pub use reader::{DEFAULT_LIMIT, Reader, length_limit};
pub use writer::Writer;
