//! What watchers, and whoever serves sessions, want to hear of a transaction.

use crate::Acl;
use alloc::sync::Arc;

/// Something that a transaction did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A node changed. (What its parent's watchers hear follows from it.)
    Node {
        /// Which.
        path: Arc<str>,
        /// How.
        what: NodeEvent,
        /// Its access list as it is, or was when it was deleted: watchers who may not read the node hear nothing.
        acl: Arc<[Acl]>,
        /// Its parent's, which decides who hears that the parent's children changed. Empty for `DataChanged`.
        parent_acl: Arc<[Acl]>,
    },
    /// A session ended: whoever serves it lets its client go.
    SessionClosed(i64),
}

/// How a node changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeEvent {
    /// It is there.
    Created,
    /// It is gone.
    Deleted,
    /// Its data was set.
    DataChanged,
}

/// So that a sentence can be made of it.
impl core::fmt::Display for Event {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Event::Node { path, what: NodeEvent::Created, .. } => write!(f, "{path} was created"),
            Event::Node { path, what: NodeEvent::Deleted, .. } => write!(f, "{path} was deleted"),
            Event::Node { path, what: NodeEvent::DataChanged, .. } => write!(f, "the data of {path} changed"),
            Event::SessionClosed(id) => write!(f, "session 0x{id:x} ended"),
        }
    }
}
