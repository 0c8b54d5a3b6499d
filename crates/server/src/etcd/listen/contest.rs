//! What locks and elections are made of, as Go's clientv3/concurrency makes them.
//!
//! Each who wants to win puts a key of his own, on his lease, under the prefix they all share. Whose key was created first has won; the
//! others wait for the keys before theirs to go: each for the last one only, so that one deletion wakes one.
//!
//! ```text
//!   name/694d…01   created at 5   has won
//!   name/694d…07   created at 8   waits for …01
//!   name/694d…03   created at 9   waits for …07
//! ```
//!
//! Go's server asks itself as a client does, and what it is refused loses its code on the way: every error here is Unknown, with the
//! text that a client would have been told.

use super::super::door::What;
use super::super::quota;
use super::super::watch::{Request, Said, WatchAsk, WatchDoor};
use super::context::{ClientPort, mixed_up};
use bytes::Bytes;
use etcd::codec;
use etcd::error::Known;
use etcd::request_id::RequestIds;
use keyspace::{
    Answer, Change, Command, Compare, DeleteRangeRequest, KeyValue, LeaseGrantRequest, Op, OpAnswer, Operand, Query, RangeAnswer,
    RangeRequest, Relation, SortOrder, SortTarget, StreamId, TxnAnswer, TxnRequest, WatchEvent, WatchNews, WatchRequest,
    check_txn,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tonic::Status;

/// How long the lease of somebody lives who brought none, in seconds (concurrency's defaultSessionTTL).
const TTL: i64 = 60;

/// Those who want to win by one name.
#[derive(Clone)]
pub(super) struct Contest {
    pub(super) port: Arc<ClientPort>,
    prefix: Bytes,
}

impl Contest {
    pub(super) fn new(port: Arc<ClientPort>, name: &[u8]) -> Contest {
        Contest { port, prefix: [name, b"/"].concat().into() }
    }

    /// The key of whoever has this lease.
    pub(super) fn key(&self, lease: i64) -> Bytes {
        // Go's %x of a negative number has a sign.
        let sign = if lease < 0 { "-" } else { "" };
        [&self.prefix[..], format!("{sign}{:x}", lease.unsigned_abs()).as_bytes()].concat().into()
    }

    /// Asks for the one who has won.
    pub(super) fn oldest(&self) -> RangeRequest {
        self.first(SortOrder::Ascend, 0)
    }

    /// Returns once no key is left that was created before `mine`.
    pub(super) async fn wait_for_older(&self, mine: i64) -> Result<(), Status> {
        loop {
            let last = range(&self.port, self.first(SortOrder::Descend, mine - 1)).await?;
            let Some(kv) = last.kvs.into_iter().next() else { return Ok(()) };
            let mut events = Events::of(&self.port.watches, kv.key, Bytes::new(), last.revision);
            while !matches!(events.next().await?.change, Change::Delete { .. }) {}
        }
    }

    /// What happens to those keys from `revision` on.
    pub(super) fn events(&self, revision: i64) -> Events {
        Events::of(&self.port.watches, self.prefix.clone(), self.end(), revision)
    }

    /// One key, by when it was created; not after `latest`, unless that is 0.
    fn first(&self, sort_order: SortOrder, latest: i64) -> RangeRequest {
        RangeRequest {
            key: self.prefix.clone(),
            range_end: self.end(),
            limit: 1,
            sort_order,
            sort_target: SortTarget::Create,
            max_create_revision: latest,
            ..RangeRequest::default()
        }
    }

    fn end(&self) -> Bytes {
        // The prefix ends with a slash, after which comes a zero.
        [&self.prefix[..self.prefix.len() - 1], b"0"].concat().into()
    }
}

/// The lease of somebody who wants to win: his own, or one that lives for a minute and that nobody keeps alive.
pub(super) async fn lease(port: &ClientPort, ids: &Mutex<RequestIds>, given: i64) -> Result<i64, Status> {
    if given != 0 {
        return Ok(given);
    }
    port.afford(quota::LEASE_BYTES).await.map_err(|status| unknown(status.message()))?;
    let id = ids.lock().expect("nobody panics while holding it").next_lease();
    match ask(port, What::Write(Command::LeaseGrant(LeaseGrantRequest { id, ttl: TTL }))).await? {
        Answer::LeaseGrant { id, .. } => Ok(id),
        other => Err(mixed_up(&other)),
    }
}

/// Does `then` if `key` was created at `created` (0: if it does not exist), else `otherwise`.
pub(super) async fn if_created(
    port: &ClientPort,
    key: &Bytes,
    created: i64,
    then: Vec<Op>,
    otherwise: Vec<Op>,
) -> Result<TxnAnswer, Status> {
    let operand = Operand::Create(created);
    let compare = Compare { key: key.clone(), range_end: Bytes::new(), relation: Relation::Equal, operand };
    let request = TxnRequest { compare: vec![compare], success: then, failure: otherwise };
    check_txn(&request, port.config.max_txn_ops).map_err(|error| unknown(error.to_string()))?;
    port.afford(quota::of_txn(&request)).await.map_err(|status| unknown(status.message()))?;
    let command = Command::Txn(request);
    if codec::encode(u64::MAX, &command).len() > port.config.max_request_bytes {
        return Err(unknown(Known::RequestTooLarge.text()));
    }
    match ask(port, What::Write(command)).await? {
        Answer::Txn(answer) => Ok(answer),
        other => Err(mixed_up(&other)),
    }
}

pub(super) async fn range(port: &ClientPort, request: RangeRequest) -> Result<RangeAnswer, Status> {
    match ask(port, What::Read(Query::Range(request))).await? {
        Answer::Range(answer) => Ok(answer),
        other => Err(mixed_up(&other)),
    }
}

/// Deletes a key; returns the revision.
pub(super) async fn delete(port: &ClientPort, key: Bytes) -> Result<i64, Status> {
    let request = DeleteRangeRequest { key, ..DeleteRangeRequest::default() };
    match ask(port, What::Write(Command::DeleteRange(request))).await? {
        Answer::DeleteRange(answer) => Ok(answer.revision),
        other => Err(mixed_up(&other)),
    }
}

/// Asks for one key.
pub(super) fn one(key: &Bytes) -> RangeRequest {
    RangeRequest { key: key.clone(), ..RangeRequest::default() }
}

/// The first key that a step of a transaction found.
pub(super) fn found(answer: &TxnAnswer, step: usize) -> Option<&KeyValue> {
    match answer.responses.get(step) {
        Some(OpAnswer::Range(range)) => range.kvs.first(),
        _ => None,
    }
}

pub(super) fn unknown(text: impl Into<String>) -> Status {
    Status::unknown(text)
}

async fn ask(port: &ClientPort, what: What) -> Result<Answer, Status> {
    port.ask(what).await.map_err(|status| unknown(status.message()))
}

/// A watcher within the member.
pub(super) struct Events {
    id: StreamId,
    door: WatchDoor,
    hears: mpsc::UnboundedReceiver<Said>,
    /// Told, and not yet asked for.
    events: VecDeque<Arc<WatchEvent>>,
}

impl Events {
    /// What happens to a key or a range from `revision` on.
    pub(super) fn of(door: &WatchDoor, key: Bytes, range_end: Bytes, revision: i64) -> Events {
        let (id, hears) = door.open(false);
        let request = WatchRequest { key, range_end, start_revision: revision, ..WatchRequest::default() };
        door.tell(WatchAsk::Request(id, Request::Create(request)));
        Events { id, door: door.clone(), hears, events: VecDeque::new() }
    }

    pub(super) async fn next(&mut self) -> Result<Arc<WatchEvent>, Status> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            let response = match self.hears.recv().await {
                Some(Said::News(response) | Said::Answer(Some(response))) => response,
                Some(Said::Answer(None)) => continue,
                Some(Said::End(why)) => return Err(unknown(why.text())),
                None => return Err(unknown(Known::Stopped.text())),
            };
            self.door.tell(WatchAsk::Took(self.id, response.weight()));
            match response.what {
                WatchNews::Events { events, .. } => self.events.extend(events),
                WatchNews::Compacted { .. } => return Err(unknown(Known::Compacted.text())),
                WatchNews::Refused(_) | WatchNews::Canceled => return Err(unknown(Known::WatchCanceled.text())),
                WatchNews::Created | WatchNews::Progress => {}
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.door.tell(WatchAsk::Close(self.id));
    }
}

/// Whoever goes away while he waits leaves no key behind that others would wait for.
pub(super) struct Place {
    port: Arc<ClientPort>,
    key: Option<Bytes>,
    created: i64,
}

impl Place {
    pub(super) fn taken(port: &Arc<ClientPort>, key: Bytes, created: i64) -> Place {
        Place { port: port.clone(), key: Some(key), created }
    }

    /// The key stays.
    pub(super) fn keep(mut self) {
        self.key = None;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let (port, created) = (self.port.clone(), self.created);
        tokio::spawn(async move {
            let delete = Op::DeleteRange(DeleteRangeRequest { key: key.clone(), ..DeleteRangeRequest::default() });
            // If that fails, it goes with its lease some day.
            let _ = if_created(&port, &key, created, vec![delete], Vec::new()).await;
        });
    }
}
