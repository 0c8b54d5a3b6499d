//! Every acknowledged put outlives the death of all members at once: on the real disk, where the page cache survives the
//! process, and on a disk that keeps unsynced writes in process memory, where kill -9 is a power failure.

mod support;

use etcd::pb::etcdserverpb::{PutRequest, RangeRequest, kv_client::KvClient};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Cluster, Kind, count};
use tonic::transport::Channel;

const CLIENTS: usize = 8;

/// What the clients know: key → the last value that was acknowledged, and a later one that may have been written, too.
#[derive(Default)]
struct Known {
    acknowledged: BTreeMap<String, u64>,
    attempted: BTreeMap<String, u64>,
    puts: u64,
}

async fn connect(endpoint: String) -> Option<KvClient<Channel>> {
    let channel = Channel::from_shared(endpoint).expect("a good address").connect().await.ok()?;
    Some(KvClient::new(channel))
}

/// Puts ever larger numbers under keys of its own until the servers die.
async fn client(number: usize, round: u32, endpoint: String, known: Arc<Mutex<Known>>) {
    let Some(mut kv) = connect(endpoint).await else { return };
    for n in 0.. {
        let key = format!("round-{round}/client-{number}/{}", n % 5);
        known.lock().expect("not poisoned").attempted.insert(key.clone(), n);
        let put = PutRequest { key: key.clone().into(), value: n.to_string().into(), ..Default::default() };
        if kv.put(put).await.is_err() {
            return;
        }
        let mut known = known.lock().expect("not poisoned");
        known.acknowledged.insert(key, n);
        known.puts += 1;
    }
}

async fn check(endpoint: String, known: &Known) {
    let mut kv = connect(endpoint).await.expect("a healthy member");
    for (key, &acknowledged) in &known.acknowledged {
        let range = RangeRequest { key: key.clone().into(), ..Default::default() };
        let answer = kv.range(range).await.expect("a healthy member").into_inner();
        let found = answer.kvs.first().unwrap_or_else(|| panic!("{key} = {acknowledged} was acknowledged and is gone"));
        let found: u64 = std::str::from_utf8(&found.value).expect("a number").parse().expect("a number");
        let attempted = known.attempted[key];
        assert!(
            (acknowledged..=attempted).contains(&found),
            "{key} is {found}; {acknowledged} was acknowledged, {attempted} the last attempted"
        );
    }
}

fn acknowledged_puts_survive(flags: &[&str], environment: &[(&str, &str)]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut cluster = Cluster::start_with(&[Kind::Quorate; 3], flags, environment);
    let known = Arc::new(Mutex::new(Known::default()));
    for round in 0..count("QUORATE_KILLS", 5) {
        let before = known.lock().expect("not poisoned").puts;
        runtime.block_on(async {
            let load: Vec<_> = (0..CLIENTS)
                .map(|number| {
                    let endpoint = cluster.members[number % 3].client.clone();
                    tokio::spawn(client(number, round, endpoint, known.clone()))
                })
                .collect();
            // Die at another moment each time.
            tokio::time::sleep(Duration::from_millis(300 + u64::from(round) * 137 % 700)).await;
            cluster.kill_all();
            for task in load {
                task.await.expect("the load ends with the servers");
            }
        });
        let after = known.lock().expect("not poisoned").puts;
        assert!(after > before, "no put was acknowledged in round {round}");
        cluster.respawn_all();
        for member in &cluster.members {
            runtime.block_on(check(member.client.clone(), &known.lock().expect("not poisoned")));
        }
    }
}

#[test]
fn acknowledged_puts_survive_the_death_of_all() {
    acknowledged_puts_survive(&[], &[]);
}

#[test]
fn acknowledged_puts_survive_a_power_failure_of_all() {
    acknowledged_puts_survive(&[], &[("QUORATE_TEST_DISK", "lossy")]);
}

/// With the data file written every few entries, so that the power fails in the midst of it.
#[test]
fn acknowledged_puts_survive_a_power_failure_in_the_data_file() {
    let flags = ["--snapshot-count=20", "--experimental-snapshot-catchup-entries=10"];
    acknowledged_puts_survive(&flags, &[("QUORATE_TEST_DISK", "lossy")]);
}
