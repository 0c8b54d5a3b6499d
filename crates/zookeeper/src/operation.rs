//! Operations, as clients and peers write them down: the record behind a request's header.

mod multi;
mod query;
mod write;

pub(crate) use multi::MultiHeader;
pub(crate) use query::{number_of_query, read_query, write_query};
pub(crate) use write::{number_of, read_write, try_write, write_write};

/// What a record says, if its bytes make sense.
pub(crate) type Read<T> = Result<T, crate::Malformed>;
