//! Hostile and broken clients and peers against running members: whatever they send, every member lives on, in bounded memory, and
//! holds what it acknowledged. Who only knocks disturbs nobody's leadership; who speaks in a member's name costs an election at worst.

mod support;

#[allow(unreachable_pub, missing_docs, reason = "modules of this test alone")]
mod hostile {
    pub mod clients;
    pub mod raw;
    pub mod voices;
    pub mod ward;
}

use etcd::pb::etcdserverpb::kv_client::KvClient;
use etcd::pb::etcdserverpb::request_op::Request as Op;
use etcd::pb::etcdserverpb::{PutRequest, RequestOp, TxnRequest};
use hostile::clients::{self, framed};
use hostile::raw::{self, Connection};
use hostile::voices::{self, Voice};
use hostile::ward::{Leader, Ward};
use hyper::body::Bytes;
use prost::Message;
use std::time::Duration;
use support::wait;

/// Bytes that are no protocol, and beginnings of some.
fn garbage() -> Vec<Vec<u8>> {
    let mut noise = 0x9e37_79b9_u32;
    let mut byte = || {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        noise as u8
    };
    vec![
        (0..1 << 16).map(|_| byte()).collect(),
        vec![0; 1 << 16],
        vec![b'A'; 1 << 20],
        b"\r\n\r\n\r\n\r\n".to_vec(),
        // A TLS client's first words.
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        // A preface, then frames of the greatest length, of every type.
        [raw::PREFACE, &(0..=255).flat_map(|kind| [0xff, 0xff, 0xff, kind, 0xff, 0x7f, 0xff, 0xff, 0xff]).collect::<Vec<u8>>()]
            .concat(),
        // Headers that point far beyond HPACK's tables.
        [raw::PREFACE, &[0, 0, 0, 4, 0, 0, 0, 0, 0], &[0, 0, 6, 1, 4, 0, 0, 0, 1], &[0xff; 6]].concat(),
        b"GET / HTTP/1.1\r\nhost: x\r\n".repeat(5000),
        [b"GET /".to_vec(), vec![b'x'; 1 << 20]].concat(),
        b"POST /raft HTTP/9.9\r\n\r\n".to_vec(),
    ]
}

/// Heads whose bodies cannot be.
fn lengths() -> Vec<String> {
    let lengths = ["18446744073709551615", "9223372036854775808", "99999999999999999999999", "-1", "0x10", "1, 2", ""];
    let chunks = ["ffffffffffffffff\r\n", "fffffffffffffffff\r\n", "-1\r\n", "zz\r\n", "10\r\nabc"];
    let lengths = lengths.iter().map(|length| format!("content-length: {length}\r\n\r\nbody"));
    let chunks = chunks.iter().map(|chunk| format!("transfer-encoding: chunked\r\n\r\n{chunk}"));
    lengths.chain(chunks).collect()
}

#[test]
fn noise_disturbs_nobody() {
    let ward = Ward::open();
    let ports: Vec<String> = ward.members().flat_map(|member| [member.client.clone(), member.peer.clone()]).collect();
    for port in &ports {
        for noise in garbage() {
            Connection::open(port).say_and_listen(&noise, Duration::from_millis(100));
        }
    }
    ward.check("garbage", Leader::Same);

    let ours = ward.peer_headers();
    for port in &ports {
        for path in ["/raft", "/raft/snapshot", "/health", "/etcdserverpb.KV/Put", "/members"] {
            for rest in lengths() {
                let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc\r\n{ours}{rest}");
                Connection::open(port).say_and_listen(head.as_bytes(), Duration::from_millis(20));
            }
        }
    }
    ward.check("lengths that cannot be", Leader::Same);
}

#[test]
fn silence_holds_nothing_up() {
    let ward = Ward::open();
    let ours = ward.peer_headers();
    let half = format!("POST /raft HTTP/1.1\r\nhost: x\r\n{ours}content-length: 100000\r\n\r\nten bytes.");
    let settled = [raw::PREFACE, &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat();
    let beginnings: [&[u8]; 6] = [b"", b"P", b"POST /raft HTTP/1.1\r\nhost", half.as_bytes(), raw::PREFACE, &settled];
    let mut held = Vec::new();
    for member in ward.members() {
        for port in [&member.client, &member.peer] {
            for beginning in beginnings {
                held.extend((0..20).map(|_| Connection::open(port).say(beginning)));
            }
        }
    }
    ward.check("half requests", Leader::Same);
    // Two thousand connections and not a word.
    let client = ward.members().next().expect("a member").client.clone();
    held.extend((0..2000).map(|_| Connection::open(&client)));
    ward.check("two thousand silent connections", Leader::Same);
    drop(held);

    // Large messages that never end, from many at once: what a member keeps of them has a bound.
    let head = format!("POST /raft HTTP/1.1\r\nhost: x\r\n{ours}content-length: 60000000\r\n\r\n");
    let piece = vec![0; 1 << 20];
    for member in ward.members() {
        let mut held: Vec<Connection> = (0..12).map(|_| Connection::open(&member.peer).say(head.as_bytes())).collect();
        for _ in 0..50 {
            held = held.into_iter().map(|connection| connection.say(&piece)).collect();
        }
        ward.check("sixty megabytes from each of twelve, without an end", Leader::Same);
    }
}

#[test]
fn strangers_are_refused_but_never_told_that_they_were_removed() {
    let ward = Ward::open();
    let cluster = ward.cluster_id();
    let said = |version: &str, cluster: &str| {
        format!("x-server-version: {version}\r\nx-min-cluster-version: 3.0.0\r\nx-etcd-cluster-id: {cluster}\r\n")
    };
    let ours = format!("{cluster:x}");
    let headers = [
        String::new(),
        said("3.5.16", "1"),
        said("3.5.16", ""),
        said("3.5.16", &format!("{}", u128::MAX)),
        said("nonsense", &ours),
        said("", &ours),
        said("-1.-2.-3", &ours),
        said("99999999999999999999.1.1", &ours),
        said("2.0.0", &ours),
        said("3.5.16\u{ff}", &ours),
        said("3.5.16", &ours),
        said("3.5.16", &ours) + "x-raft-to: 1\r\n",
        said("3.5.16", &ours) + &format!("x-peerurls: {}\r\n", "http://127.0.0.1:1,".repeat(1000)),
    ];
    for member in ward.members() {
        for headers in &headers {
            for from in ["1", "0", "ffffffffffffffff", "x", "", "%00", "../../members"] {
                for stream in ["msgapp", "message", "nonsense"] {
                    let answer = raw::ask(&member.peer, "GET", &format!("/raft/stream/{stream}/{from}"), headers, b"");
                    assert!(["404", "412", "400"].contains(&answer.as_str()), "{answer} for {stream}/{from} with {headers}");
                }
            }
            for path in ["/raft", "/raft/snapshot"] {
                let answer = raw::ask(&member.peer, "POST", path, headers, b"nonsense");
                assert!(!["403", "410", "200", "204"].contains(&answer.as_str()), "{answer} for {path} with {headers}");
            }
        }
    }
    ward.check("strangers", Leader::Same);
}

/// Every type of message, in every voice, with every number as large as it gets.
#[test]
fn no_message_harms_for_longer_than_an_election() {
    let ward = Ward::open();
    for victim in 0..3 {
        let scene = ward.scene(victim);
        for kind in 0..=24 {
            for voice in Voice::ALL {
                for message in voices::messages(kind, voice, &scene) {
                    ward.post(victim, &message);
                }
            }
        }
        ward.check(&format!("every message to member {victim}"), Leader::Any);
        for message in voices::oversized(&ward.scene(victim)) {
            ward.post(victim, &message);
        }
        ward.check(&format!("large messages to member {victim}"), Leader::Any);
    }
    for victim in 0..3 {
        let scene = ward.scene(victim);
        for (head, body) in voices::snapshots(&scene) {
            raw::ask(&ward.member(victim).peer, "POST", "/raft/snapshot", &(ward.peer_headers() + &head), &body);
        }
    }
    ward.check("snapshots that lie", Leader::Any);
    // What was written down must be something to start from.
    ward.restart_all();
    ward.check("all that, and a restart", Leader::Any);
}

/// A member learns what a follower's log holds, and puts after it what nobody can apply.
#[test]
fn what_cannot_be_applied_is_not_taken_into_the_log() {
    let ward = Ward::open();
    let victim = ward.follower();
    ward.pause_load();
    for data in voices::undecodable() {
        let scene = ward.settled_scene(victim);
        let answer = ward.post(victim, &voices::append(&scene, data));
        assert_eq!(answer, "400");
    }
    ward.resume_load();
    ward.check("entries that cannot be applied", Leader::Same);
    ward.restart_all();
    ward.check("a restart after that", Leader::Any);
}

/// In the place of a member stands somebody who answers its streams with nonsense.
#[test]
fn streams_of_nonsense_are_closed() {
    let ward = Ward::open();
    let gone = ward.follower();
    let (cluster, scene) = (ward.cluster_id(), ward.scene(gone));
    ward.stop(gone);
    let served = voices::serve_streams(&ward.member(gone).peer, cluster, &scene, Duration::from_secs(8));
    assert!(served > 20, "{served} streams were opened");
    ward.start(gone);
    ward.check("streams of nonsense", Leader::Any);
}

#[test]
fn malformed_calls_are_refused() {
    let ward = Ward::open();
    let oversized = PutRequest { key: "x".into(), value: vec![0; 3 << 20].into(), ..PutRequest::default() }.encode_to_vec();
    let large = PutRequest { key: "x".into(), value: vec![0; 1_600_000].into(), ..PutRequest::default() }.encode_to_vec();
    let nested =
        TxnRequest { success: vec![RequestOp { request: Some(Op::RequestTxn(clients::wide(129))) }], ..TxnRequest::default() };
    let many = clients::wide(129);
    let calls: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("/etcdserverpb.KV/Put", framed(b"\x0a\xff\xff\xff\xff\x0f"), &["13"]),
        ("/etcdserverpb.KV/Put", framed(&[0xff; 1000]), &["13"]),
        ("/etcdserverpb.KV/Put", [&[0][..], &u32::MAX.to_be_bytes()].concat(), &["8", "13"]),
        ("/etcdserverpb.KV/Put", [&[0][..], &1000_u32.to_be_bytes(), b"short"].concat(), &["13"]),
        ("/etcdserverpb.KV/Put", [&[1][..], &5_u32.to_be_bytes(), b"12345"].concat(), &["12", "13"]),
        ("/etcdserverpb.KV/Put", [&[255][..], &5_u32.to_be_bytes(), b"12345"].concat(), &["13"]),
        ("/etcdserverpb.KV/Put", Vec::new(), &["13"]),
        ("/etcdserverpb.KV/Put", vec![0, 0], &["13"]),
        ("/etcdserverpb.KV/Put", framed(&oversized), &["8"]),
        ("/etcdserverpb.KV/Put", framed(&large), &["3"]),
        ("/etcdserverpb.KV/Txn", framed(&many.encode_to_vec()), &["3"]),
        ("/etcdserverpb.KV/Txn", framed(&nested.encode_to_vec()), &["3"]),
        ("/etcdserverpb.KV/Txn", framed(&clients::compares(129).encode_to_vec()), &["3"]),
        ("/etcdserverpb.KV/Txn", framed(&clients::deep(45)), &["0", "3"]),
        ("/etcdserverpb.KV/Txn", framed(&clients::deep(129)), &["13"]),
        ("/etcdserverpb.KV/Txn", framed(&clients::deep(10_000)), &["13"]),
        ("/etcdserverpb.KV/Nonsense", framed(b""), &["12"]),
        ("/etcdserverpb.Nonsense/Put", framed(b""), &["12"]),
        ("/etcdserverpb.Auth/UserAdd", framed(b""), &["12"]),
        ("/", framed(b""), &["12"]),
        ("//////", framed(b""), &["12"]),
    ];
    for member in ward.members() {
        for (path, body, codes) in &calls {
            let code = ward.block_on(clients::call(&member.client, path, body.clone()));
            assert!(
                code.as_deref().is_some_and(|code| codes.contains(&code)),
                "{path} with {} bytes ended with {code:?}",
                body.len()
            );
        }
    }
    ward.check("malformed calls", Leader::Same);
}

#[test]
fn clients_that_do_not_finish_take_little() {
    let ward = Ward::open();
    let url = ward.member(0).client.clone();
    ward.block_on(async {
        // Thousands of requests of which one half comes, and of large ones as well.
        let mut client = clients::connect(&url).await;
        let (little, much) =
            (Bytes::from(vec![0, 0, 0, 1, 0, 10]), [&[0][..], &1_500_000_u32.to_be_bytes(), &vec![0; 900_000]].concat().into());
        let mut open = Vec::new();
        for n in 0..5000 {
            let body = clients::endless(if n % 10 == 0 { &much } else { &little });
            if !clients::ready(&mut client).await {
                client = clients::connect(&url).await;
            }
            open.push(tokio::spawn(client.send_request(clients::request("/etcdserverpb.KV/Put", body))));
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        open.iter().for_each(|request| request.abort());
    });
    ward.check("five thousand halves", Leader::Same);
    ward.block_on(async {
        // Requests that are taken back at once.
        for round in 0..20 {
            let mut client = clients::connect(&url).await;
            for n in 0..500 {
                if !clients::ready(&mut client).await {
                    break;
                }
                let body = if n % 2 == 0 { clients::everything() } else { framed(&clients::wide(round + 1).encode_to_vec()) };
                let path = if n % 2 == 0 { "/etcdserverpb.KV/Range" } else { "/etcdserverpb.KV/Txn" };
                let request = tokio::spawn(client.send_request(clients::request(path, clients::whole(body))));
                tokio::task::yield_now().await;
                request.abort();
            }
        }
    });
    ward.check("ten thousand requests taken back", Leader::Same);
}

#[test]
fn who_asks_for_everything_and_reads_nothing_is_not_buffered_for() {
    let ward = Ward::open();
    let url = ward.member(0).client.clone();
    let held = ward.block_on(async {
        let mut kv = KvClient::new(hostile::ward::connect(&url).await.expect("a member"));
        for batch in 0..800 {
            let puts = (0..125).map(|n| PutRequest {
                key: format!("many/{batch:04}/{n:04}").into(),
                value: vec![b'v'; 100].into(),
                ..PutRequest::default()
            });
            let success = puts.map(|put| RequestOp { request: Some(Op::RequestPut(put)) }).collect();
            kv.txn(TxnRequest { success, ..TxnRequest::default() }).await.expect("a transaction");
        }
        // Some seventeen megabytes each: all at once on few connections, and nobody looks at an answer.
        let mut held = Vec::new();
        for _ in 0..10 {
            let mut client = clients::connect(&url).await;
            for _ in 0..30 {
                assert!(clients::ready(&mut client).await);
                let request = clients::request("/etcdserverpb.KV/Range", clients::whole(clients::everything()));
                held.push(tokio::spawn(client.send_request(request)));
            }
        }
        let mut refused = 0;
        let mut answers = Vec::new();
        for answer in held {
            let answer = answer.await.expect("a task").expect("an answer");
            refused += usize::from(answer.headers().contains_key("grpc-status"));
            answers.push(answer);
        }
        println!("{refused} of {} were refused", answers.len());
        assert!(refused > 0 && refused < answers.len());
        answers
    });
    ward.check("answers that nobody reads", Leader::Same);
    drop(held);
    // Once they are gone, others are served again.
    wait("everything to be had again", || {
        let code = ward.block_on(clients::call(&url, "/etcdserverpb.KV/Range", clients::everything()));
        code.as_deref() == Some("0")
    });
}
