//! How long transactions are on the wire and in the log: whoever reads them has a bound.

use crate::{Acl, Change, Id, paths};
use bytes::Bytes;

/// A length or a count.
const INT: usize = 4;
/// What surrounds a change: the header of 32 bytes, and the tree's digest.
pub(crate) const ENVELOPE: usize = 32 + 12;
/// What surrounds a part of a multi: its type, and its length.
pub(crate) const PART: usize = 8;

impl Change {
    /// How many bytes the record takes, or a few more.
    pub fn weight(&self) -> usize {
        match self {
            Change::CreateSession { .. } | Change::Error { .. } => INT,
            Change::CloseSession { paths } => INT + paths.iter().map(|path| paths::weight(path)).sum::<usize>(),
            // ephemeral, parent_cversion and ttl: not all of them in all kinds.
            Change::Create { path, data, acl, .. } => paths::weight(path) + of_data(data.as_ref()) + of_list(acl) + 1 + INT + 8,
            Change::Delete { path } => paths::weight(path),
            Change::SetData { path, data, .. } => paths::weight(path) + of_data(data.as_ref()) + INT,
            Change::SetAcl { path, acl, .. } => paths::weight(path) + of_list(acl) + INT,
            Change::Check { path, .. } => paths::weight(path) + INT,
            Change::Multi(parts) => INT + parts.iter().map(|(_, change)| PART + change.weight()).sum::<usize>(),
        }
    }
}

fn of_data(data: Option<&Bytes>) -> usize {
    INT + data.map_or(0, Bytes::len)
}

fn of_list(acl: &[Acl]) -> usize {
    INT + acl.iter().map(|entry| of_entry(&entry.id)).sum::<usize>()
}

/// One line of an access list.
pub(crate) fn of_entry(id: &Id) -> usize {
    INT + 2 * INT + id.scheme.len() + id.id.len()
}
