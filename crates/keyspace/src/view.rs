//! Reading: ranges, as of a revision.

use crate::history::Mark;
use crate::index::Index;
use crate::{Change, KeyRange, KeyValue, KeyspaceError, RangeAnswer, RangeRequest, Revision, SortOrder, SortTarget, Values};
use alloc::vec::Vec;
use bytes::Bytes;
use core::cmp::Ordering;

/// What a reader sees.
pub(crate) struct View<'a, V> {
    pub(crate) index: &'a Index,
    pub(crate) values: &'a V,
    /// The newest revision; within a transaction that has written, the one being made.
    pub(crate) revision: i64,
    /// The last compaction.
    pub(crate) compacted: i64,
}

/// A key that a range found.
type Hit<'a> = (&'a Bytes, Mark);

impl<V: Values> View<'_, V> {
    /// Answers a range. Filters come before order and limit; the count heeds none of them.
    pub(crate) fn range(&self, request: &RangeRequest) -> Result<RangeAnswer, KeyspaceError> {
        let at = self.revision_to_read(request.revision)?;
        let range = KeyRange::new(&request.key, &request.range_end);
        let mut answer = RangeAnswer { revision: self.revision, ..RangeAnswer::default() };
        if request.count_only {
            answer.count = self.count(range, at);
            return Ok(answer);
        }

        let limit = usize::try_from(request.limit).ok().filter(|&limit| limit > 0);
        let mut hits = Vec::new();
        for (key, history) in self.index.range(range) {
            let Some(mark) = history.get(at) else { continue };
            answer.count += 1;
            // A limit cuts the keys off before they are sorted unless an order is asked for. If only a target is, etcd sorts what
            // the limit left, with the one key more that shows that there are more.
            let enough =
                request.sort_order == SortOrder::None && !has_filters(request) && limit.is_some_and(|limit| hits.len() > limit);
            if !enough {
                hits.push((key, mark));
            }
        }
        if has_filters(request) {
            hits.retain(|&(_, mark)| passes_filters(request, mark));
        }
        let mut kvs = self.sorted(hits, request, limit);
        if let Some(limit) = limit
            && kvs.len() > limit
        {
            kvs.truncate(limit);
            answer.more = true;
        }
        if request.keys_only {
            kvs.iter_mut().for_each(|kv| kv.value = Bytes::new());
        }
        answer.kvs = kvs;
        Ok(answer)
    }

    /// All keys in `range`, as they are now.
    pub(crate) fn now(&self, range: KeyRange<'_>) -> impl Iterator<Item = KeyValue> {
        self.index.range(range).filter_map(|(_, history)| history.get(self.revision)).map(|mark| self.fetch(mark))
    }

    /// Fetches what a mark stands for.
    pub(crate) fn fetch(&self, mark: Mark) -> KeyValue {
        fetched(mark.at, self.values.get(mark.at))
    }

    fn revision_to_read(&self, asked: i64) -> Result<i64, KeyspaceError> {
        if asked > self.revision {
            return Err(KeyspaceError::FutureRevision);
        }
        let at = if asked <= 0 { self.revision } else { asked };
        if at < self.compacted {
            return Err(KeyspaceError::Compacted);
        }
        Ok(at)
    }

    fn count(&self, range: KeyRange<'_>, at: i64) -> i64 {
        // "How many keys are there?" is asked of large stores by those who watch over them.
        if at == self.revision
            && let KeyRange::Span(first, None) = range
            && first[..] == b"\0"[..]
        {
            return self.index.alive() as i64;
        }
        self.index.range(range).filter(|(_, history)| history.get(at).is_some()).count() as i64
    }

    /// The hits as keys and values, in the order asked for. Fetches no more than `limit` and one, unless the order needs the
    /// values. Ties stay in key order, as etcd's do while they are few (Go's sort is not stable above a dozen).
    fn sorted(&self, mut hits: Vec<Hit<'_>>, request: &RangeRequest, limit: Option<usize>) -> Vec<KeyValue> {
        let order = match (request.sort_order, request.sort_target) {
            (SortOrder::None, SortTarget::Key) => return self.fetch_first(hits, limit),
            (SortOrder::None, _) => SortOrder::Ascend,
            (order, _) => order,
        };
        let directed = |ascending: Ordering| if order == SortOrder::Descend { ascending.reverse() } else { ascending };
        match request.sort_target {
            SortTarget::Key => hits.sort_by(|(a, _), (b, _)| directed(a.cmp(b))),
            SortTarget::Version => hits.sort_by(|(_, a), (_, b)| directed(a.version.cmp(&b.version))),
            SortTarget::Create => hits.sort_by(|(_, a), (_, b)| directed(a.created.cmp(&b.created))),
            SortTarget::Mod => hits.sort_by(|(_, a), (_, b)| directed(a.at.main.cmp(&b.at.main))),
            SortTarget::Value => {
                let mut kvs = self.fetch_first(hits, None);
                kvs.sort_by(|a, b| directed(a.value.cmp(&b.value)));
                return kvs;
            }
        }
        self.fetch_first(hits, limit)
    }

    fn fetch_first(&self, hits: Vec<Hit<'_>>, limit: Option<usize>) -> Vec<KeyValue> {
        let wanted = limit.map_or(hits.len(), |limit| hits.len().min(limit.saturating_add(1)));
        let ats: Vec<Revision> = hits[..wanted].iter().map(|(_, mark)| mark.at).collect();
        ats.iter().zip(self.values.get_all(&ats)).map(|(at, change)| fetched(*at, change)).collect()
    }
}

/// What the values hold where the index holds a put.
fn fetched(at: Revision, change: Option<Change>) -> KeyValue {
    match change {
        Some(Change::Put(kv)) => kv,
        other => panic!("the index holds a put at {at}, the values {other:?}"),
    }
}

fn has_filters(request: &RangeRequest) -> bool {
    request.min_mod_revision != 0
        || request.max_mod_revision != 0
        || request.min_create_revision != 0
        || request.max_create_revision != 0
}

fn passes_filters(request: &RangeRequest, mark: Mark) -> bool {
    let within = |value: i64, min: i64, max: i64| (min == 0 || value >= min) && (max == 0 || value <= max);
    within(mark.at.main, request.min_mod_revision, request.max_mod_revision)
        && within(mark.created, request.min_create_revision, request.max_create_revision)
}
