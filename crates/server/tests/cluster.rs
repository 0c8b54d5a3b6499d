//! Members in this process, over real sockets and a real disk: what a cluster survives.

mod support;

use etcd::pb::etcdserverpb::alarm_request::AlarmAction;
use etcd::pb::etcdserverpb::maintenance_client::MaintenanceClient;
use etcd::pb::etcdserverpb::{AlarmRequest, AlarmType, HashKvRequest};
use server::etcd::Config;
use std::time::{Duration, Instant};
use support::{Client, Cluster, local};
use tokio::sync::watch;

#[tokio::test]
async fn one_member_serves_alone() {
    let cluster = Cluster::start(1, |_| {}).await;
    let client = cluster.client(0);
    assert_eq!(client.put("a", "1").await.unwrap().header.unwrap().revision, 2);
    assert_eq!(client.value("a").await, "1");
}

#[tokio::test]
async fn every_member_of_three_serves() {
    let cluster = Cluster::start(3, |_| {}).await;
    for index in 0..3 {
        cluster.client(index).put(&format!("from {index}"), "x").await.unwrap();
    }
    for index in 0..3 {
        for from in 0..3 {
            assert_eq!(cluster.client(index).value(&format!("from {from}")).await, "x");
        }
    }
}

#[tokio::test]
async fn a_killed_leader_is_replaced_at_once() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    let leader = cluster.leader().await;
    let survivor = cluster.client((leader + 1) % 3);
    survivor.put("before", "1").await.unwrap();

    cluster.kill(leader).await;
    let killed = Instant::now();
    let mut attempts = 1;
    while survivor.put("after", "2").await.is_err() {
        attempts += 1;
    }
    let took = killed.elapsed();
    // By silence alone it would take one to two election timeouts, of a second each.
    assert!(took < Duration::from_millis(800), "the first put after the kill took {took:?} and {attempts} attempts");
    assert_eq!(survivor.value("before").await, "1");

    cluster.run(leader).await;
    assert!(cluster.members[leader].as_mut().unwrap().ready().await);
    assert_eq!(cluster.client(leader).value("after").await, "2");
}

#[tokio::test]
async fn who_is_told_to_stop_hands_leadership_over_first() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    let leader = cluster.leader().await;
    let survivor = cluster.client((leader + 1) % 3);
    survivor.put("a", "1").await.unwrap();
    let term = survivor.status().await.unwrap().raft_term;
    cluster.stop(leader).await;
    survivor.put("a", "2").await.expect("there is a leader already");
    assert_eq!(survivor.status().await.unwrap().raft_term, term + 1, "one election, and no more");
}

/// Writes ascending numbers under one key, through whichever member answers, until told to stop; returns the last one that was
/// acknowledged, and the last one that was tried.
async fn count_up(key: String, clients: Vec<Client>, stop: watch::Receiver<bool>) -> (u64, u64) {
    let (mut acknowledged, mut number) = (0, 0);
    let mut at = key.len();
    while !*stop.borrow() {
        number += 1;
        match clients[at % clients.len()].put(&key, &number.to_string()).await {
            Ok(_) => acknowledged = number,
            Err(_) => at += 1,
        }
    }
    (acknowledged, number)
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_while_leaders_die_under_load() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    let clients: Vec<Client> = (0..3).map(|index| cluster.client(index)).collect();
    let (stop, stopping) = watch::channel(false);
    let counters: Vec<_> = (0..8)
        .map(|number| {
            let key = format!("counter {number}");
            (key.clone(), tokio::spawn(count_up(key, clients.clone(), stopping.clone())))
        })
        .collect();
    for _ in 0..4 {
        let leader = cluster.leader().await;
        cluster.kill(leader).await;
        cluster.run(leader).await;
        assert!(cluster.members[leader].as_mut().unwrap().ready().await);
    }
    stop.send_replace(true);
    for (key, counter) in counters {
        let (acknowledged, tried) = counter.await.unwrap();
        let found: u64 = clients[0].value(&key).await.parse().unwrap();
        assert!(acknowledged > 0, "nobody served {key}");
        assert!((acknowledged..=tried).contains(&found), "{key}: acknowledged {acknowledged}, found {found}, tried {tried}");
    }
    let mut hashes = Vec::new();
    for client in clients {
        client.get("any").await.expect("it has caught up by then");
        let hash = MaintenanceClient::new(client.channel).hash_kv(HashKvRequest { revision: 0 }).await.unwrap().into_inner();
        hashes.push((hash.header.unwrap().revision, hash.hash));
    }
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "members hold different things: {hashes:?}");
}

#[tokio::test]
async fn what_was_acknowledged_survives_the_death_of_all() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    let client = cluster.client(0);
    for number in 0..50 {
        client.put(&format!("key {number}"), &number.to_string()).await.unwrap();
    }
    for index in 0..3 {
        cluster.kill(index).await;
    }
    for index in 0..3 {
        cluster.run(index).await;
    }
    for index in 0..3 {
        assert!(cluster.members[index].as_mut().unwrap().ready().await);
        for number in 0..50 {
            assert_eq!(cluster.client(index).value(&format!("key {number}")).await, number.to_string());
        }
    }
}

#[tokio::test]
async fn a_power_failure_takes_nothing_that_was_acknowledged() {
    let mut cluster = Cluster::start(1, |config| config.lossy_disk = true).await;
    for round in 0..5 {
        let client = cluster.client(0);
        for number in 0..20 {
            client.put(&format!("{round} {number}"), "x").await.unwrap();
        }
        cluster.kill(0).await;
        cluster.run(0).await;
        assert!(cluster.members[0].as_mut().unwrap().ready().await);
        let client = cluster.client(0);
        for number in 0..20 {
            assert_eq!(client.value(&format!("{round} {number}")).await, "x");
        }
    }
}

/// A cluster, and a member of it that lagged so far behind that it was sent a snapshot.
async fn with_a_snapshot(adjust: impl Fn(&mut Config)) -> (Cluster, usize) {
    let mut cluster = Cluster::start(3, |config| {
        config.snapshot_count = 20;
        config.snapshot_catchup_entries = 5;
        adjust(config);
    })
    .await;
    let lagging = (cluster.leader().await + 1) % 3;
    let client = cluster.client((lagging + 1) % 3);
    cluster.kill(lagging).await;
    for number in 0..100 {
        client.put("counter", &number.to_string()).await.unwrap();
    }
    cluster.run(lagging).await;
    assert!(cluster.members[lagging].as_mut().unwrap().ready().await);
    assert_eq!(cluster.client(lagging).value("counter").await, "99");
    let (_, metrics) = cluster.http(cluster.leader().await, "/metrics").await;
    assert!(metrics.contains("etcd_network_snapshot_send_success{"), "it caught up without a snapshot");
    (cluster, lagging)
}

#[tokio::test]
async fn who_lags_behind_the_log_gets_a_snapshot() {
    let (mut cluster, lagging) = with_a_snapshot(|_| {}).await;

    // It goes on from there, also after a restart of its own.
    cluster.client((lagging + 1) % 3).put("counter", "100").await.unwrap();
    cluster.kill(lagging).await;
    cluster.run(lagging).await;
    assert!(cluster.members[lagging].as_mut().unwrap().ready().await);
    assert_eq!(cluster.client(lagging).value("counter").await, "100");
}

#[tokio::test]
async fn a_snapshot_finds_the_url_that_answers() {
    with_a_snapshot(|config| {
        // Nobody listens on the first URL of any member. These stay the first however they are sorted.
        for (spec, port) in config.initial_cluster.iter_mut().zip([1, 10, 100]) {
            spec.peer_urls.insert(0, local(port));
            if spec.name == config.name {
                config.initial_advertise_peer_urls.clone_from(&spec.peer_urls);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_member_that_lost_its_disk_does_not_come_back_under_its_id() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    cluster.kill(2).await;
    std::fs::remove_dir_all(&cluster.configs[2].data_dir).unwrap();
    let error = server::etcd::Member::start(cluster.configs[2].clone()).await.expect_err("it must not start");
    assert!(error.to_string().contains("has already been bootstrapped"), "{error}");
}

/// With the others out of reach nobody can say whether it is known: it must not take part before somebody does.
#[tokio::test]
async fn a_member_that_lost_its_disk_waits_for_somebody_who_may_know_it() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    for index in 0..3 {
        cluster.kill(index).await;
    }
    std::fs::remove_dir_all(&cluster.configs[2].data_dir).unwrap();
    let stranger = tokio::spawn(server::etcd::Member::start(cluster.configs[2].clone()));
    // One who lived with it, but may have forgotten how that ended, is not enough; once two agree, they know.
    cluster.run(0).await;
    cluster.run(1).await;
    let error = stranger.await.unwrap().expect_err("it must not start");
    assert!(error.to_string().contains("has already been bootstrapped"), "{error}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let cluster = Cluster::start(1, |_| {}).await;
    let mut other = Cluster::planned(1, |_| {});
    other.configs[0].listen_client_urls = cluster.configs[0].listen_client_urls.clone();
    let error = server::etcd::Member::start(other.configs[0].clone()).await.expect_err("it must not start");
    let wanted = format!("cannot listen on http://{}: ", cluster.address(0));
    assert!(error.to_string().starts_with(&wanted), "{error}");
}

/// In etcd whatever lifts NOSPACE lifts what CORRUPT forbids, and there it is always somebody who decides to.
#[tokio::test]
async fn that_there_is_room_again_does_not_end_what_an_accusation_forbids() {
    let cluster = Cluster::start(1, |config| config.quota_backend_bytes = Some(1 << 20)).await;
    let client = cluster.client(0);
    let me = client.put("a", "1").await.unwrap().header.unwrap().member_id;
    let change = async |action: AlarmAction, member_id, alarm: AlarmType| {
        let request = AlarmRequest { action: action.into(), member_id, alarm: alarm.into() };
        MaintenanceClient::new(client.channel.clone()).alarm(request).await.unwrap();
    };
    change(AlarmAction::Activate, me, AlarmType::Nospace).await;
    change(AlarmAction::Activate, 1, AlarmType::Corrupt).await;
    // The member looks at its alarm every second.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let refused = client.put("a", "2").await.unwrap_err();
    assert_eq!(refused.message(), "etcdserver: corrupt cluster");
    change(AlarmAction::Deactivate, 1, AlarmType::Corrupt).await;
    client.put("a", "3").await.unwrap();
}
