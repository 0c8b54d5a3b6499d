//! Between etcd's Watch messages and what [`keyspace`] understands.

use crate::kv::Header;
use crate::pb::etcdserverpb as pb;
use crate::pb::mvccpb;
use keyspace::{Change, KeyValue, WatchEvent, WatchNews, WatchRequest, WatchResponse};
use pb::watch_create_request::FilterType;
use prost::Message;

/// What a client asks for. Filters that are none are not heeded (v3rpc's FiltersFromRequest).
pub fn watch_request(request: pb::WatchCreateRequest) -> WatchRequest {
    let has = |filter: FilterType| request.filters.contains(&filter.into());
    WatchRequest {
        no_put: has(FilterType::Noput),
        no_delete: has(FilterType::Nodelete),
        key: request.key,
        range_end: request.range_end,
        start_revision: request.start_revision,
        watch_id: request.watch_id,
        prev_kv: request.prev_kv,
        fragment: request.fragment,
        progress_notify: request.progress_notify,
    }
}

/// What it is told.
pub fn watch_response(header: Header, response: &WatchResponse) -> pb::WatchResponse {
    let mut message =
        pb::WatchResponse { header: Some(header.at(response.revision)), watch_id: response.watch_id, ..Default::default() };
    match &response.what {
        WatchNews::Created => message.created = true,
        WatchNews::Refused(why) => {
            (message.created, message.canceled) = (true, true);
            message.cancel_reason = why.reason().to_owned();
        }
        WatchNews::Canceled => message.canceled = true,
        WatchNews::Compacted { compact_revision } => {
            message.canceled = true;
            message.compact_revision = *compact_revision;
        }
        WatchNews::Events { events, prev_kv, .. } => {
            message.events = events.iter().map(|event| watch_event(event, *prev_kv)).collect();
        }
        WatchNews::Progress => {}
    }
    message
}

fn watch_event(event: &WatchEvent, prev_kv: bool) -> mvccpb::Event {
    let (kind, kv) = match &event.change {
        Change::Put(kv) => (mvccpb::event::EventType::Put, kv.clone()),
        // Of a deletion the event knows the key and the revision.
        Change::Delete { key } => {
            let kv = KeyValue { key: key.clone(), mod_revision: event.revision.main, ..KeyValue::default() };
            (mvccpb::event::EventType::Delete, kv)
        }
    };
    let before = event.prev_kv.clone().filter(|_| prev_kv);
    mvccpb::Event { r#type: kind.into(), kv: Some(kv.into()), prev_kv: before.map(Into::into) }
}

/// A response in pieces that are smaller than `limit`, of one event at least; all but the last say that there are more
/// (v3rpc's sendFragments).
pub fn fragments(response: pb::WatchResponse, limit: usize) -> impl Iterator<Item = pb::WatchResponse> + Send + use<> {
    let whole = response.events.len() < 2 || response.encoded_len() < limit;
    let head = pb::WatchResponse { events: Vec::new(), fragment: true, ..response.clone() };
    let mut rest = Some(response);
    std::iter::from_fn(move || {
        let mut response = rest.take()?;
        if whole {
            return Some(response);
        }
        let mut size = head.encoded_len();
        let mut count = 0;
        for event in &response.events {
            size += prost::encoding::message::encoded_len(11, event);
            if count > 0 && size >= limit {
                break;
            }
            count += 1;
        }
        let later = response.events.split_off(count);
        let fragment = pb::WatchResponse { events: response.events, ..head.clone() };
        if later.is_empty() {
            return Some(pb::WatchResponse { fragment: false, ..fragment });
        }
        rest = Some(pb::WatchResponse { events: later, ..head.clone() });
        Some(fragment)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use keyspace::{Revision, WatchRefusal};
    use std::sync::Arc;

    fn put(revision: i64, value: &'static str) -> Arc<WatchEvent> {
        let kv = KeyValue {
            key: Bytes::from_static(b"k"),
            value: Bytes::from_static(value.as_bytes()),
            create_revision: revision,
            mod_revision: revision,
            version: 1,
            lease: 0,
        };
        Arc::new(WatchEvent { revision: Revision::new(revision, 0), change: Change::Put(kv.clone()), prev_kv: Some(kv) })
    }

    fn response(what: WatchNews) -> pb::WatchResponse {
        let header = Header { cluster_id: 1, member_id: 2, raft_term: 3 };
        watch_response(header, &WatchResponse { watch_id: 4, revision: 5, what })
    }

    #[test]
    fn each_kind_of_news_sets_the_fields_that_gos_server_sets() {
        let created = response(WatchNews::Created);
        assert_eq!((created.created, created.canceled, created.watch_id), (true, false, 4));
        assert_eq!(created.header.unwrap().revision, 5);
        let refused = response(WatchNews::Refused(WatchRefusal::EmptyRange));
        assert_eq!((refused.created, refused.canceled, &refused.cancel_reason[..]), (true, true, "mvcc: watcher range is empty"));
        let compacted = response(WatchNews::Compacted { compact_revision: 9 });
        assert_eq!((compacted.canceled, compacted.compact_revision, &compacted.cancel_reason[..]), (true, 9, ""));
        let canceled = response(WatchNews::Canceled);
        assert_eq!((canceled.canceled, canceled.compact_revision), (true, 0));
        assert_eq!(
            response(WatchNews::Progress),
            pb::WatchResponse { header: canceled.header, watch_id: 4, ..Default::default() }
        );
    }

    #[test]
    fn a_deletion_tells_its_key_and_revision_and_what_was_before_is_told_on_request() {
        let change = Change::Delete { key: Bytes::from_static(b"k") };
        let delete = Arc::new(WatchEvent { revision: Revision::new(7, 0), change, prev_kv: put(5, "v").prev_kv.clone() });
        let events = response(WatchNews::Events { events: vec![delete.clone()], prev_kv: true, fragment: false }).events;
        assert_eq!(events[0].r#type(), mvccpb::event::EventType::Delete);
        assert_eq!(events[0].kv.as_ref().map(|kv| (kv.mod_revision, kv.version)), Some((7, 0)));
        assert_eq!(events[0].prev_kv.as_ref().map(|kv| kv.mod_revision), Some(5));
        let events = response(WatchNews::Events { events: vec![delete], prev_kv: false, fragment: false }).events;
        assert_eq!(events[0].prev_kv, None);
    }

    #[test]
    fn fragments_are_smaller_than_the_limit_and_hold_everything() {
        let events: Vec<_> = (0..10).map(|revision| put(revision, "0123456789")).collect();
        let whole = response(WatchNews::Events { events, prev_kv: false, fragment: true });
        let size = whole.encoded_len();
        assert_eq!(fragments(whole.clone(), size + 1).collect::<Vec<_>>(), vec![whole.clone()]);
        for limit in [1, 40, 60, 100, size] {
            let pieces: Vec<_> = fragments(whole.clone(), limit).collect();
            assert!(pieces.len() > 1);
            let (last, others) = pieces.split_last().unwrap();
            assert!(!last.fragment && others.iter().all(|piece| piece.fragment));
            assert!(pieces.iter().all(|piece| piece.events.len() == 1 || piece.encoded_len() < limit));
            let events: Vec<_> = pieces.iter().flat_map(|piece| piece.events.clone()).collect();
            assert_eq!(events, whole.events);
            // None could have held one more.
            for pair in pieces.windows(2) {
                let more = pb::WatchResponse { events: [&pair[0].events[..], &pair[1].events[..1]].concat(), ..pair[0].clone() };
                assert!(more.encoded_len() >= limit);
            }
        }
    }

    #[test]
    fn filters_that_are_none_are_not_heeded() {
        let request = watch_request(pb::WatchCreateRequest { filters: vec![7, 1], ..Default::default() });
        assert!(!request.no_put && request.no_delete);
    }
}
