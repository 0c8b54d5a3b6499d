//! What watchers ask for and are told.

use crate::{Change, KeyValue, Revision};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

/// A request to watch, as etcd's WatchCreateRequest has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WatchRequest {
    /// The key, or the first of the range. Empty: the smallest key.
    pub key: Bytes,
    /// The end of the range: see [`crate::KeyRange`].
    pub range_end: Bytes,
    /// The first revision wanted; 0: what comes from now on.
    pub start_revision: i64,
    /// The watcher's id; 0: one that is free.
    pub watch_id: i64,
    /// No puts.
    pub no_put: bool,
    /// No deletions.
    pub no_delete: bool,
    /// With the pairs from before each change.
    pub prev_kv: bool,
    /// Large responses may be split.
    pub fragment: bool,
    /// Say now and then how far an idle watcher has come.
    pub progress_notify: bool,
}

/// One response to a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchResponse {
    /// Whom it is for; -1: none of them, or all.
    pub watch_id: i64,
    /// The header's revision. With events: the watcher has been told everything up to here.
    pub revision: i64,
    /// What it says.
    pub what: WatchNews,
}

/// The id of no watcher (clientv3's InvalidWatchID).
pub(super) const NOBODY: i64 = -1;

/// What a response says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WatchNews {
    /// The watcher is there.
    Created,
    /// It is not: created and cancelled at once, as etcd puts it.
    Refused(WatchRefusal),
    /// The client's cancellation is done.
    Canceled,
    /// What the watcher wanted next was compacted away, so it is cancelled. etcd's header has revision 0 then.
    Compacted {
        /// The first revision that can be watched.
        compact_revision: i64,
    },
    /// Things happened: whole revisions, in order.
    Events {
        /// What.
        events: Vec<Arc<WatchEvent>>,
        /// Whether the watcher wants the pairs from before.
        prev_kv: bool,
        /// Whether the response may be split.
        fragment: bool,
    },
    /// Nothing that the watcher (or, for -1, any watcher of the stream) has not been told happened up to the header's revision.
    Progress,
}

/// Why a watcher was not created.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatchRefusal {
    /// The end is not after the key.
    EmptyRange,
    /// The stream has a watcher of that id.
    DuplicateId,
    /// The keys of all watchers are too long, together.
    TooManyKeys,
}

impl WatchRefusal {
    /// What etcd says (its cancel_reason; server/mvcc/watcher.go). It does not bound watchers' keys, and says the last of other things.
    pub fn reason(self) -> &'static str {
        match self {
            WatchRefusal::EmptyRange => "mvcc: watcher range is empty",
            WatchRefusal::DuplicateId => "mvcc: duplicate watch ID provided on the WatchStream",
            WatchRefusal::TooManyKeys => "etcdserver: too many requests",
        }
    }
}

/// Something that happened to a key. Shared among all who are told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchEvent {
    /// When.
    pub revision: Revision,
    /// What.
    pub change: Change,
    /// What was there before, if that can still be read. Looked up only if somebody wants it.
    pub prev_kv: Option<KeyValue>,
}

/// About what a response and an event take beside keys and values.
const OVERHEAD: usize = 64;

impl WatchEvent {
    /// About how many bytes it takes on its way to one watcher.
    pub fn weight(&self, prev_kv: bool) -> usize {
        let bytes = |kv: &KeyValue| kv.key.len() + kv.value.len();
        let now = match &self.change {
            Change::Put(kv) => bytes(kv),
            Change::Delete { key } => key.len(),
        };
        let before = if prev_kv { self.prev_kv.as_ref().map_or(0, bytes) } else { 0 };
        OVERHEAD + now + before
    }
}

impl WatchResponse {
    /// About how many bytes it takes on its way. The same for its whole life: what is counted when it leaves
    /// [`crate::Watches`] is given back to [`crate::Watches::took`].
    pub fn weight(&self) -> usize {
        match &self.what {
            WatchNews::Events { events, prev_kv, .. } => {
                OVERHEAD + events.iter().map(|event| event.weight(*prev_kv)).sum::<usize>()
            }
            _ => OVERHEAD,
        }
    }
}
