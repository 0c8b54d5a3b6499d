//! What a watch says when something happened.

/// A watch event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchEvent {
    /// What happened.
    pub kind: EventKind,
    /// To which node.
    pub path: String,
}

/// What happened to a node (Java: `Watcher.Event.EventType`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EventKind {
    /// It is there.
    Created,
    /// It is gone.
    Deleted,
    /// Its data was set.
    DataChanged,
    /// A child came or went.
    ChildrenChanged,
}

impl EventKind {
    /// The wire's number.
    pub fn number(self) -> i32 {
        match self {
            EventKind::Created => 1,
            EventKind::Deleted => 2,
            EventKind::DataChanged => 3,
            EventKind::ChildrenChanged => 4,
        }
    }

    /// The kind with this number.
    pub fn from_number(number: i32) -> Option<EventKind> {
        let kinds = [EventKind::Created, EventKind::Deleted, EventKind::DataChanged, EventKind::ChildrenChanged];
        kinds.into_iter().find(|kind| kind.number() == number)
    }
}
