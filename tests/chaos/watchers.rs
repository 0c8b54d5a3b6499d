//! Clients that watch, move from member to member, and go on where they were.

use crate::chaos::scene::{Chance, Scene};
use crate::chaos::watched::{Heard, Watched};
use crate::chaos::wire::{self, Failure, Outgoing};
use etcd::pb::etcdserverpb::watch_client::WatchClient;
use etcd::pb::etcdserverpb::watch_create_request::FilterType;
use etcd::pb::etcdserverpb::watch_request::RequestUnion;
use etcd::pb::etcdserverpb::{WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse};
use etcd::pb::mvccpb::event::EventType;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;

/// For the beginning of a stream.
const PATIENCE: Duration = Duration::from_secs(3);
/// After so many silences of half a second it tries another member.
const SILENCES: u32 = 6;

/// How one resumption ended.
enum End {
    /// It heard everything that there will be.
    Complete,
    /// The stream broke off, or it was time to go.
    Over,
    /// What it wanted next is compacted up to here.
    Compacted(i64),
}

/// Watches from `watched.start` on until it has heard everything up to the scene's last revision. `audits`: it watches everything,
/// and the compactor waits for it.
pub async fn watcher(number: u32, mut watched: Watched, audits: bool, scene: Arc<Scene>) {
    let mut chance = Chance::new(scene.seed, (2 << 32) + u64::from(number));
    let mut next = watched.start;
    let mut response = 0;
    for member in number as usize.. {
        match listen(member, &mut watched, &mut next, &mut response, audits, &mut chance, &scene).await {
            End::Complete => break,
            End::Over => {}
            End::Compacted(to) => {
                if to <= next {
                    scene.wrong(format!("watcher {} wanted {next} and was told that {to} is compacted", watched.name));
                }
                watched.heard.push(Heard::Jump { to });
                next = next.max(to);
            }
        }
        watched.resumed += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scene.record().watched.push(watched);
}

async fn listen(
    member: usize,
    watched: &mut Watched,
    next: &mut i64,
    count: &mut u32,
    audits: bool,
    chance: &mut Chance,
    scene: &Scene,
) -> End {
    let (requests, outgoing) = mpsc::channel(8);
    let request = |union| WatchRequest { request_union: Some(union) };
    let create = RequestUnion::CreateRequest(create(watched, *next));
    requests.send(request(create)).await.expect("there is room for one");
    let mut client = WatchClient::new(scene.channel(member)).max_decoding_message_size(usize::MAX);
    let Ok(Ok(answer)) = tokio::time::timeout(PATIENCE, client.watch(Outgoing(outgoing))).await else { return End::Over };
    let mut stream = answer.into_inner();
    // Sometimes it stays for a moment, sometimes for long.
    let stay = if audits { 10_000 } else { 4_000 };
    let leave = tokio::time::Instant::now() + Duration::from_millis(200 + chance.below(stay));
    let mut silent = 0;
    loop {
        let last = scene.last.load(Ordering::SeqCst);
        if last != 0 && *next > last {
            watched.end = last;
            return End::Complete;
        }
        if last == 0 && tokio::time::Instant::now() > leave {
            return End::Over;
        }
        let said = match tokio::time::timeout(Duration::from_millis(500), stream.message()).await {
            Ok(Ok(Some(said))) => said,
            Ok(_) => return End::Over,
            Err(_) => {
                // Silence: either nothing happened, or the member is cut off. It is asked how far it is.
                silent += 1;
                let asked = requests.try_send(request(RequestUnion::ProgressRequest(WatchProgressRequest {})));
                if asked.is_err() || silent > SILENCES {
                    return End::Over;
                }
                continue;
            }
        };
        silent = 0;
        *count += 1;
        if said.compact_revision > 0 {
            return End::Compacted(said.compact_revision);
        }
        if said.canceled {
            return End::Over;
        }
        if let Err(Failure::Garbled(what)) = take(&said, watched, next, *count, scene) {
            scene.wrong(format!("watcher {}: {what}", watched.name));
        }
        if audits {
            scene.audited.store(*next - 1, Ordering::SeqCst);
        }
        if chance.one_in(500) {
            let _ = requests.try_send(request(RequestUnion::ProgressRequest(WatchProgressRequest {})));
        }
    }
}

fn create(watched: &Watched, start: i64) -> WatchCreateRequest {
    let mut filters = Vec::new();
    if !watched.puts {
        filters.push(FilterType::Noput.into());
    }
    if !watched.deletes {
        filters.push(FilterType::Nodelete.into());
    }
    WatchCreateRequest {
        key: wire::key_text(watched.from).into(),
        range_end: wire::key_text(watched.to).into(),
        start_revision: start,
        prev_kv: watched.before,
        filters,
        ..WatchCreateRequest::default()
    }
}

/// Notes the events, and where to go on.
fn take(said: &WatchResponse, watched: &mut Watched, next: &mut i64, response: u32, scene: &Scene) -> Result<(), Failure> {
    let at = scene.now();
    for event in &said.events {
        let kv = event.kv.as_ref().ok_or_else(|| Failure::Garbled("an event without a key".to_owned()))?;
        let (key, now) = match event.r#type() {
            EventType::Put => wire::held(kv).map(|(key, held)| (key, Some(held)))?,
            EventType::Delete => (wire::key_of(&kv.key)?, None),
        };
        let before = event.prev_kv.as_ref().map(wire::held).transpose()?.map(|(_, held)| held);
        watched.heard.push(Heard::Event { revision: kv.mod_revision, key, now, before, at, response });
        *next = (*next).max(kv.mod_revision + 1);
    }
    let header = said.header.as_ref().map_or(0, |header| header.revision);
    // An answer to a request for progress goes to the whole stream (-1); one by itself names the watcher. Both promise that all was said.
    if said.events.is_empty() && !said.created && header > 0 {
        watched.heard.push(Heard::Bookmark { revision: header });
        *next = (*next).max(header + 1);
    }
    Ok(())
}
