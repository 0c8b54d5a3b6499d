//! Watches, leases and a lock made of both.

use crate::{failure, show};
use etcd_client::{
    Client, Compare, CompareOp, DeleteOptions, Error, Event, EventType, GetOptions, LeaseGrantOptions, LeaseTimeToLiveOptions,
    PutOptions, SortOrder, SortTarget, Txn, TxnOp, WatchFilterType, WatchOptions, WatchStream,
};
use std::time::{Duration, Instant};

pub(crate) async fn watches(client: &mut Client, other: &mut Client) -> Result<(), Error> {
    let head = client.put("w/0", "head", None).await?.header().map_or(0, |header| header.revision());
    // A member that has heard of nothing later than the reader has.
    other.get("w/0", None).await?;
    println!("from now:");
    let mut stream = other.watch("w/", Some(WatchOptions::new().with_prefix().with_prev_key())).await?;
    for i in 0..4 {
        client.put(format!("w/{i}"), format!("x{i}"), None).await?;
    }
    client.delete("w/2", None).await?;
    events(&mut stream, 5).await?;
    println!("progress:");
    client.get("w/0", None).await?;
    stream.request_progress().await?;
    if let Some(said) = stream.message().await? {
        println!("  watch {}, {} events, at the head {}", said.watch_id(), said.events().len(), revision(&said) == head + 5);
    }
    println!("from the past:");
    events(&mut client.watch("w/", Some(WatchOptions::new().with_prefix().with_start_revision(head))).await?, 6).await?;
    println!("from the past, deletions only:");
    let deletions = WatchOptions::new().with_prefix().with_start_revision(1).with_filters([WatchFilterType::NoPut]);
    events(&mut client.watch("w/", Some(deletions)).await?, 1).await?;
    println!("from the future:");
    let mut stream = other.watch("w/f", Some(WatchOptions::new().with_start_revision(head + 7))).await?;
    client.put("w/f", "too early", None).await?;
    client.put("w/f", "in time", None).await?;
    events(&mut stream, 1).await?;
    println!("a transaction's, at once:");
    let mut stream = client.watch("w/", Some(WatchOptions::new().with_prefix().with_watch_id(7))).await?;
    stream.watch("w/a", Some(WatchOptions::new().with_watch_id(8).with_fragment())).await?;
    while !matches!(stream.message().await?, Some(said) if said.created() && said.watch_id() == 8) {}
    let puts = [TxnOp::put("w/a", "1", None), TxnOp::put("w/b", "2", None), TxnOp::delete("w/0", None)];
    client.txn(Txn::new().and_then(puts)).await?;
    let mut heard = Vec::new();
    while heard.len() < 2 {
        if let Some(said) = stream.message().await?.filter(|said| !said.events().is_empty()) {
            heard.push((said.watch_id(), said.events().iter().map(say).collect::<Vec<_>>()));
        }
    }
    heard.sort();
    heard.iter().for_each(|(watch, events)| println!("  watch {watch}: {}", events.join("; ")));
    stream.cancel(7).await?;
    while let Some(said) = stream.message().await? {
        if said.canceled() {
            println!("  watch {} canceled, {:?}", said.watch_id(), said.cancel_reason());
            break;
        }
    }
    client.compact(head + 2, None).await?;
    println!("compacted:");
    let mut stream = client.watch("w/", Some(WatchOptions::new().with_prefix().with_start_revision(head + 1))).await?;
    while let Some(said) = stream.message().await? {
        println!(
            "  created {}, canceled {}, {:?}, compacted {}",
            said.created(),
            said.canceled(),
            said.cancel_reason(),
            said.compact_revision()
        );
        if said.canceled() {
            break;
        }
    }
    client.delete("w/", Some(DeleteOptions::new().with_prefix())).await?;
    Ok(())
}

pub(crate) async fn leases(client: &mut Client) -> Result<(), Error> {
    let granted = client.lease_grant(60, Some(LeaseGrantOptions::new().with_id(4711))).await?;
    println!("lease {}: granted {}", granted.id(), granted.ttl());
    println!("the same again: {}", failure(client.lease_grant(60, Some(LeaseGrantOptions::new().with_id(4711))).await));
    println!("too long: {}", failure(client.lease_grant(9_000_000_001, None).await));
    println!("too short: granted {}", client.lease_grant(1, Some(LeaseGrantOptions::new().with_id(4712))).await?.ttl());
    for key in ["l/1", "l/2"] {
        client.put(key, "x", Some(PutOptions::new().with_lease(4711))).await?;
    }
    let live = client.lease_time_to_live(4711, Some(LeaseTimeToLiveOptions::new().with_keys())).await?;
    // In no order.
    let mut keys: Vec<String> = live.keys().iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect();
    keys.sort();
    println!("lease {}: of {}, {} left, keys {}", live.id(), live.granted_ttl(), (58..=60).contains(&live.ttl()), keys.join(" "));
    let (mut keeper, mut kept) = client.lease_keep_alive(4711).await?;
    for _ in 0..2 {
        keeper.keep_alive().await?;
        println!("renewed: {:?}", kept.message().await?.map(|answer| (answer.id(), answer.ttl())));
    }
    let mut stream = client.watch("l/", Some(WatchOptions::new().with_prefix())).await?;
    client.lease_revoke(4711).await?;
    events(&mut stream, 2).await?;
    println!("revoked twice: {}", failure(client.lease_revoke(4711).await));
    println!("renewed after all: {}", failure(client.lease_keep_alive(4711).await));
    println!("left after all: {}", client.lease_time_to_live(4711, None).await?.ttl());

    let short = client.lease_grant(2, None).await?.id();
    let begin = Instant::now();
    client.put("l/short", "x", Some(PutOptions::new().with_lease(short))).await?;
    events(&mut stream, 2).await?;
    println!("expired, not early: {}", begin.elapsed() > Duration::from_millis(1_900));
    Ok(())
}

/// The recipe of all: a key of one's own under the lock's name, on a lease; the oldest holds the lock, and each waits for the next
/// older to go.
struct Lock {
    key: String,
    revision: i64,
    lease: i64,
}

impl Lock {
    async fn queue(client: &mut Client) -> Result<Lock, Error> {
        let lease = client.lease_grant(60, None).await?.id();
        let key = format!("door/{lease:x}");
        let absent = Compare::create_revision(key.as_str(), CompareOp::Equal, 0);
        let put = TxnOp::put(key.as_str(), "", Some(PutOptions::new().with_lease(lease)));
        let done = client.txn(Txn::new().when([absent]).and_then([put])).await?;
        Ok(Lock { key, revision: done.header().map_or(0, |header| header.revision()), lease })
    }

    async fn is_held(&self, client: &mut Client) -> Result<bool, Error> {
        let oldest = GetOptions::new().with_prefix().with_sort(SortTarget::Create, SortOrder::Ascend).with_limit(1);
        Ok(client.get("door/", Some(oldest)).await?.kvs().iter().any(|kv| kv.key() == self.key.as_bytes()))
    }

    async fn wait(&self, client: &mut Client) -> Result<(), Error> {
        let deletions =
            WatchOptions::new().with_prefix().with_filters([WatchFilterType::NoPut]).with_start_revision(self.revision);
        let mut stream = client.watch("door/", Some(deletions)).await?;
        while !self.is_held(client).await? {
            stream.message().await?;
        }
        Ok(())
    }
}

pub(crate) async fn locks(first: &mut Client, second: &mut Client) -> Result<(), Error> {
    let one = Lock::queue(first).await?;
    let two = Lock::queue(second).await?;
    println!("held by the first: {}, by the second: {}", one.is_held(first).await?, two.is_held(second).await?);
    let (waited, left) = tokio::join!(two.wait(second), first.delete(one.key.as_str(), None));
    waited?;
    println!("the first left: {}; held by the second: {}", left?.deleted(), two.is_held(first).await?);
    let three = Lock::queue(first).await?;
    // Its holder dies: the lock is free once the lease is.
    let (waited, revoked) = tokio::join!(three.wait(first), second.lease_revoke(two.lease));
    waited?;
    revoked?;
    println!("the second died; held by the third: {}", three.is_held(second).await?);
    first.lease_revoke(three.lease).await?;
    Ok(())
}

fn revision(said: &etcd_client::WatchResponse) -> i64 {
    said.header().map_or(0, |header| header.revision())
}

/// The next events of a stream.
async fn events(stream: &mut WatchStream, mut count: usize) -> Result<(), Error> {
    while count > 0 {
        let Some(said) = stream.message().await? else { break };
        for event in said.events() {
            println!("  {}", say(event));
            count -= 1;
        }
    }
    Ok(())
}

fn say(event: &Event) -> String {
    let kind = if event.event_type() == EventType::Put { "put" } else { "delete" };
    let before = event.prev_kv().map_or_else(String::new, |kv| format!(" after {}", show(kv)));
    // A lease has another id each time.
    let kv = event.kv().map_or_else(
        || "none".into(),
        |kv| {
            format!(
                "{} = {} at {}, version {}",
                kv.key_str().unwrap_or("?"),
                kv.value_str().unwrap_or("?"),
                kv.mod_revision(),
                kv.version()
            )
        },
    );
    format!("{kind} {kv}{before}")
}
