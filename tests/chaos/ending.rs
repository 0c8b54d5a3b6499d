//! What is done and checked once the chaos is over.

use crate::chaos::faults::Faults;
use crate::chaos::holders::{FIRST_KEY, LAST_KEY};
use crate::chaos::linear::{self, Log, Seen};
use crate::chaos::load::KEYS;
use crate::chaos::model::{Call, Done, Key, Step, Told};
use crate::chaos::scene::{Chance, Record, Scene};
use crate::chaos::watched::{self, Heard, Watched};
use crate::chaos::wire;
use crate::chaos::{leased, model::Answer};
use etcd::pb::etcdserverpb::HashKvRequest;
use etcd::pb::etcdserverpb::kv_client::KvClient;
use etcd::pb::etcdserverpb::maintenance_client::MaintenanceClient;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The whole keyspace.
const ALL: Step = Step::Range { from: 0, to: Key::MAX / 100 };
/// Past revisions that are read as a whole at the end.
const SAMPLES: u64 = 30;

/// With every member in good health: leases end, everybody is told the last of it, and every member says what it holds.
pub async fn settle(scene: &Scene) {
    let begin = Instant::now();
    let leases = Call::one(Step::Range { from: FIRST_KEY, to: LAST_KEY });
    while !matches!(&ask(scene, 0, leases.clone()).await.told[..], [Told::Ranged(keys)] if keys.is_empty()) {
        assert!(begin.elapsed() < Duration::from_secs(60), "leases that nobody renews still live after a minute");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let last = ask(scene, 1, Call::one(Step::Put { key: 2 * KEYS, value: scene.value(), lease: 0 })).await.revision;
    // Every member has it, and then they hold the same, now and in the past.
    let mut chance = Chance::new(scene.seed, 5 << 32);
    for member in 0..scene.endpoints.len() {
        ask(scene, member, Call::one(ALL)).await;
        ask(scene, member, Call { serializable: true, ..Call::one(ALL) }).await;
        for _ in 0..SAMPLES {
            let revision = last - chance.below(last.clamp(1, 4_000) as u64) as i64;
            ask(scene, member, Call { revision, ..Call::one(ALL) }).await;
        }
    }
    let mut hashes = Vec::new();
    for member in 0..scene.endpoints.len() {
        let request = HashKvRequest { revision: last };
        let answer = MaintenanceClient::new(scene.channel(member)).hash_kv(request).await;
        let answer = answer.unwrap_or_else(|status| panic!("m{} does not say its hash: {status}", member + 1)).into_inner();
        hashes.push((answer.hash, answer.compact_revision));
    }
    if hashes.iter().any(|hash| *hash != hashes[0]) {
        scene.wrong(format!("the members' hashes at {last} differ (hash, compacted): {hashes:?}"));
    }
    scene.last.store(last, Ordering::SeqCst);
}

/// Asks a member that has no reason not to answer, and puts the answer on record. What is compacted by now is answered by nobody.
async fn ask(scene: &Scene, member: usize, call: Call) -> Answer {
    let mut kv = KvClient::new(scene.channel(member)).max_decoding_message_size(usize::MAX);
    let called = scene.now();
    let answer = match tokio::time::timeout(Duration::from_secs(30), wire::perform(&mut kv, &call)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(wire::Failure::Compacted)) if call.revision > 0 => {
            return Answer { revision: call.revision, succeeded: false, told: Vec::new() };
        }
        other => panic!("after everything was healed, m{} does not answer {call:?}: {other:?}", member + 1),
    };
    scene.record().done.push(Done { client: 2_000, call, called, answer: Some((scene.now(), answer.clone())) });
    answer
}

/// All checks, and what to print if they hold.
pub fn check(scene: &Scene, faults: &Faults) -> Result<String, String> {
    let took = Duration::from_nanos(scene.now());
    let record = std::mem::take(&mut *scene.record());
    if let Some(wrong) = record.wrong.first() {
        return Err(wrong.clone());
    }
    let audit = record.watched.iter().find(|watched| watched.name == "everything").expect("it never stops");
    let log = linear::check(&record.done, &ghost(audit)?)?;
    record.watched.iter().try_for_each(|watched| watched::check(&log, watched, &record.compacted))?;
    let expired = leased::check(&log, &record.leased, &ends(&record.watched))?;
    Ok(summary(scene, faults, &record, &log, expired, took))
}

/// What the watcher of everything saw, by revision.
fn ghost(audit: &Watched) -> Result<Vec<(i64, Vec<Seen>)>, String> {
    let mut ghost: Vec<(i64, Vec<Seen>)> = Vec::new();
    for heard in &audit.heard {
        let Heard::Event { revision, key, now, .. } = *heard else { continue };
        match ghost.last_mut() {
            Some((last, _)) if *last > revision => {
                return Err(format!("the watcher of everything heard {revision} after {last}: doubled or out of order"));
            }
            Some((last, seen)) if *last == revision => seen.push((key, now)),
            _ => ghost.push((revision, vec![(key, now)])),
        }
    }
    Ok(ghost)
}

/// When anybody first heard that a lease's key is gone.
fn ends(watched: &[Watched]) -> HashMap<Key, u64> {
    let mut ends: HashMap<Key, u64> = HashMap::new();
    for heard in watched.iter().flat_map(|watched| &watched.heard) {
        if let Heard::Event { key, now: None, at, .. } = *heard
            && key >= FIRST_KEY
        {
            let first = ends.entry(key).or_insert(at);
            *first = at.min(*first);
        }
    }
    ends
}

fn summary(scene: &Scene, faults: &Faults, record: &Record, log: &Log, expired: u32, took: Duration) -> String {
    let answered = record.done.iter().filter(|done| done.answer.is_some()).count();
    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    for done in &record.done {
        let kind = match &done.call {
            call if !call.guards.is_empty() || call.then.len() > 1 => "transactions",
            call if call.revision > 0 => "reads of the past",
            call if call.serializable => "serializable reads",
            call => match call.then[0] {
                Step::Put { .. } => "puts",
                Step::Delete { .. } => "deletions",
                Step::Range { .. } => "linearizable reads",
            },
        };
        *kinds.entry(kind).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let heard = |wanted: fn(&Heard) -> bool| {
        record.watched.iter().flat_map(|watched| &watched.heard).filter(|heard| wanted(heard)).count()
    };
    let counts = &faults.counts;
    let revoked = record.leased.iter().filter(|lease| lease.revoked.is_some()).count();
    format!(
        "chaos: {} operations in {:.0} s: {answered} answers checked and {} writes of unknown outcome settled ({})\n\
         chaos: {} revisions, {} compactions; {} kills of {} processes, {} partitions, {} pauses, {} times slow; {} MB carried\n\
         chaos: {} watchers heard {} events and {} bookmarks in {} streams; {} went on after a compaction\n\
         chaos: {} leases, renewed {} times; {expired} expired, none early; {revoked} given back\n\
         chaos: linearizable, nothing lost, nothing doubled, all members alike",
        scene.operations,
        took.as_secs_f64(),
        record.done.len() - answered,
        kinds.join(", "),
        log.head(),
        scene.compactions.load(Ordering::Relaxed),
        counts.kills,
        counts.deaths,
        counts.partitions,
        counts.pauses,
        counts.slow,
        faults.network.carried() >> 20,
        record.watched.len(),
        heard(|heard| matches!(heard, Heard::Event { .. })),
        heard(|heard| matches!(heard, Heard::Bookmark { .. })),
        record.watched.iter().map(|watched| watched.resumed + 1).sum::<u32>(),
        heard(|heard| matches!(heard, Heard::Jump { .. })),
        record.leased.len(),
        record.renewals,
    )
}
