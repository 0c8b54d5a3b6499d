//! Events.

use super::readable;
use etcd::pb::etcdserverpb::WatchResponse;
use etcd::pb::mvccpb::event::EventType;
use etcd::pb::mvccpb::{Event, KeyValue};

/// What happened, what was there before if it is told, and what is there now: a line each.
pub(crate) fn watch_simple(response: &WatchResponse) -> String {
    let mut text = String::new();
    for event in &response.events {
        text += &format!("{}\n", kind(event));
        for kv in event.prev_kv.iter().chain(&event.kv) {
            text += &format!("{}\n{}\n", String::from_utf8_lossy(&kv.key), String::from_utf8_lossy(&kv.value));
        }
    }
    text
}

/// A line an event. Nobody knows how wide the columns will become, so they are wide enough for most.
pub(crate) fn watch_lines(response: &WatchResponse, first: bool) -> String {
    let mut text = String::new();
    let mut line = |revision: &str, kind: &str, key: &str, value: &str, before: &str| {
        let line = format!("{revision:>10}  {kind:6}  {key:24}  {value:24}  {before}");
        text += line.trim_end();
        text.push('\n');
    };
    if first {
        line("REVISION", "EVENT", "KEY", "VALUE", "BEFORE");
    }
    for event in &response.events {
        let nothing = KeyValue::default();
        let kv = event.kv.as_ref().unwrap_or(&nothing);
        let before = event.prev_kv.as_ref().map_or_else(String::new, |before| readable(&before.value));
        line(&kv.mod_revision.to_string(), kind(event), &readable(&kv.key), &readable(&kv.value), &before);
    }
    text
}

fn kind(event: &Event) -> &'static str {
    match event.r#type() {
        EventType::Put => "PUT",
        EventType::Delete => "DELETE",
    }
}
