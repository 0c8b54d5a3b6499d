//! Clients that put, delete, read and swap, and remember what they were told.

use crate::chaos::model::{Answer, Call, Done, Guard, Key, Step, Target, Told};
use crate::chaos::scene::{Chance, Scene};
use crate::chaos::wire::{self, Failure};
use etcd::pb::etcdserverpb::CompactionRequest;
use etcd::pb::etcdserverpb::kv_client::KvClient;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Few enough that clients meet.
pub const KEYS: Key = 200;
/// Longer than an election; shorter than what a member allows itself, so that clients give up on answers that still come.
const PATIENCE: Duration = Duration::from_secs(3);
/// How much of the past stays readable.
const KEPT: i64 = 5_000;

/// One client: one operation at a time, until so many were called by all of them.
pub async fn client(number: u32, scene: Arc<Scene>) {
    let mut chance = Chance::new(scene.seed, u64::from(number) + 1);
    let mut members: Vec<_> = (0..scene.endpoints.len()).map(|member| KvClient::new(scene.channel(member))).collect();
    let mut member = number as usize % members.len();
    let mut known: HashMap<Key, i64> = HashMap::new();
    let mut done = Vec::new();
    while scene.called.fetch_add(1, Ordering::Relaxed) < scene.operations {
        let call = choose(&mut chance, &scene, &known);
        let called = scene.now();
        let outcome = tokio::time::timeout(PATIENCE, wire::perform(&mut members[member], &call)).await;
        let answered = scene.now();
        let answer = match outcome {
            Ok(Ok(answer)) => {
                learn(&mut known, &call, &answer);
                scene.reached(answer.revision);
                Some((answered, answer))
            }
            Ok(Err(Failure::Garbled(what))) => {
                scene.wrong(format!("client {number} called {call:?}: {what}"));
                None
            }
            Ok(Err(Failure::Compacted)) => None,
            Ok(Err(Failure::Unanswered)) | Err(_) => {
                member = (member + 1) % members.len();
                // A member that refuses at once is not to be asked a million times.
                tokio::time::sleep(Duration::from_millis(20)).await;
                None
            }
        };
        // A read without an answer says nothing.
        if answer.is_some() || call.may_write() {
            done.push(Done { client: number, call, called, answer });
        }
        if chance.one_in(200) {
            member = chance.below(members.len() as u64) as usize;
        }
    }
    scene.record().done.append(&mut done);
}

fn choose(chance: &mut Chance, scene: &Scene, known: &HashMap<Key, i64>) -> Call {
    let mut key = || {
        // Half of all on a few keys.
        let keys = if chance.one_in(2) { 10 } else { KEYS };
        chance.below(u64::from(keys)) as Key
    };
    let (one, other) = (key(), key());
    let put = |key: Key| Step::Put { key, value: scene.value(), lease: 0 };
    let single = |key: Key| Step::Range { from: key, to: key + 1 };
    match chance.below(100) {
        0..38 => Call::one(put(one)),
        38..43 => Call::one(Step::Delete { from: one, to: one + 1 }),
        43..45 => Call::one(Step::Delete { from: one, to: one + 3 }),
        45..63 => Call::one(single(one)),
        63..68 => Call::one(Step::Range { from: one / 10 * 10, to: one / 10 * 10 + 10 }),
        68..74 => Call { serializable: true, ..Call::one(single(one)) },
        74..77 => {
            let back = chance.below(KEPT as u64 / 2) as i64;
            Call { revision: (scene.head.load(Ordering::Relaxed) - back).max(1), ..Call::one(single(one)) }
        }
        // Swap what was not changed since it was last seen.
        77..90 => Call {
            guards: vec![Guard { key: one, target: Target::Modified, equals: known.get(&one).copied().unwrap_or(0) }],
            then: vec![put(one)],
            otherwise: vec![single(one)],
            ..Call::default()
        },
        // Move one key to another, or found the first.
        90..95 if one != other => Call {
            guards: vec![Guard { key: one, target: Target::Version, equals: 0 }],
            then: vec![put(one), single(other)],
            otherwise: vec![Step::Delete { from: one, to: one + 1 }, put(other), single(one)],
            ..Call::default()
        },
        // Several at once.
        _ => Call { then: vec![put(KEYS + one), put(2 * KEYS + one), single(one)], ..Call::default() },
    }
}

/// Remembers when keys were last changed.
fn learn(known: &mut HashMap<Key, i64>, call: &Call, answer: &Answer) {
    let steps = if answer.succeeded { &call.then } else { &call.otherwise };
    for (step, told) in steps.iter().zip(&answer.told) {
        match (step, told) {
            (Step::Put { key, .. }, _) => drop(known.insert(*key, answer.revision)),
            (Step::Delete { from, to }, _) => known.retain(|key, _| !(*from..*to).contains(key)),
            (Step::Range { from, to }, Told::Ranged(found)) => {
                known.retain(|key, _| !(*from..*to).contains(key));
                known.extend(found.iter().map(|(key, held)| (*key, held.modified)));
            }
            (Step::Range { .. }, _) => {}
        }
    }
}

/// Compacts now and then, never what the watcher of everything has not seen.
pub async fn compactor(scene: Arc<Scene>) {
    let mut chance = Chance::new(scene.seed, 1 << 32);
    let mut compacted = 0;
    while !scene.is_over() {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let revision = scene.audited.load(Ordering::SeqCst).min(scene.head.load(Ordering::Relaxed)) - KEPT;
        if revision < compacted + 1_000 {
            continue;
        }
        let mut kv = KvClient::new(scene.channel(chance.below(3) as usize));
        scene.record().compacted.push((scene.now(), revision));
        let request = CompactionRequest { revision, physical: chance.one_in(2) };
        if let Ok(Ok(_)) = tokio::time::timeout(PATIENCE, kv.compact(request)).await {
            compacted = revision;
            scene.compactions.fetch_add(1, Ordering::Relaxed);
        }
    }
}
