//! Messages of forged members: well-formed enough to be read, and nonsense.

use etcd::pb::raftpb::{ConfState, Entry, Message, Snapshot, SnapshotMetadata};
use prost::Message as _;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// raftpb.MessageType.
const APP: u32 = 3;
const SNAP: u32 = 7;
const VOTE: u32 = 5;

/// What a forger knows of the cluster.
pub struct Scene {
    pub victim: u64,
    pub others: Vec<u64>,
    pub leader: u64,
    pub term: u64,
    pub index: u64,
}

/// In whose name a message is sent, and to whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Voice {
    Stranger,
    Victim,
    Member,
    OtherMember,
    MemberToAnother,
}

impl Voice {
    pub const ALL: [Voice; 5] = [Voice::Stranger, Voice::Victim, Voice::Member, Voice::OtherMember, Voice::MemberToAnother];

    fn names(self, scene: &Scene) -> (u64, u64) {
        match self {
            Voice::Stranger => (0xdead, scene.victim),
            Voice::Victim => (scene.victim, scene.victim),
            Voice::Member => (scene.others[0], scene.victim),
            Voice::OtherMember => (scene.others[1], scene.victim),
            Voice::MemberToAnother => (scene.others[0], scene.others[1]),
        }
    }
}

/// Messages of one type with extreme values.
pub fn messages(kind: u32, voice: Voice, scene: &Scene) -> Vec<Message> {
    let (from, to) = voice.names(scene);
    let known = matches!(voice, Voice::Member | Voice::OtherMember);
    let terms: &[u64] = if known {
        &[0, 1, scene.term, scene.term + 1, 1 << 40, 1 << 61, (1 << 61) + 1, 1 << 62, u64::MAX]
    } else {
        &[scene.term, u64::MAX]
    };
    let mut messages = Vec::new();
    for &term in terms {
        for number in [0, u64::MAX] {
            for entries in [vec![], vec![entry(term, number, b"x")], vec![entry(u64::MAX, number.wrapping_add(1), b"")]] {
                for reject in [false, true] {
                    messages.push(Message {
                        r#type: Some(kind),
                        to: Some(to),
                        from: Some(from),
                        term: Some(term),
                        log_term: Some(number),
                        index: Some(number),
                        entries: entries.clone(),
                        commit: Some(number),
                        snapshot: Some(snapshot(number, number, vec![to])),
                        reject: Some(reject),
                        reject_hint: Some(number),
                        context: if kind == VOTE { Some("CampaignTransfer".into()) } else { None },
                        vote: Some(number),
                    });
                }
            }
        }
    }
    messages
}

/// Few messages with much in them.
pub fn oversized(scene: &Scene) -> Vec<Message> {
    let (from, to) = Voice::Member.names(scene);
    let plain =
        |kind| Message { r#type: Some(kind), to: Some(to), from: Some(from), term: Some(scene.term), ..Message::default() };
    let mut messages = Vec::new();
    for kind in 0..=24 {
        messages.push(Message { context: Some(vec![7; 1 << 20].into()), ..plain(kind) });
        messages
            .push(Message { entries: vec![Entry { data: Some(vec![7; 1 << 20].into()), ..Entry::default() }], ..plain(kind) });
        messages.push(Message { entries: vec![Entry::default(); 200_000], ..plain(kind) });
        messages.push(Message { entries: vec![Entry::default(); 1_000_000], ..plain(kind) });
    }
    let run = (1..=200_000).map(|offset| entry(scene.term, scene.index + offset, b"")).collect();
    messages.push(Message { index: Some(scene.index), log_term: Some(scene.term), entries: run, ..plain(APP) });
    messages
}

fn entry(term: u64, index: u64, data: &'static [u8]) -> Entry {
    Entry { r#type: Some(0), term: Some(term), index: Some(index), data: Some(data.into()) }
}

fn snapshot(term: u64, index: u64, voters: Vec<u64>) -> Snapshot {
    let conf_state = Some(ConfState { voters, ..ConfState::default() });
    Snapshot { data: None, metadata: Some(SnapshotMetadata { conf_state, index: Some(index), term: Some(term) }) }
}

/// What an entry may hold that no member can apply: bytes that are no request, an empty request, users, and changes of the members.
pub fn undecodable() -> Vec<(u32, Vec<u8>)> {
    vec![
        (0, b"\xff\xff\xff\xff".to_vec()),
        (0, vec![0x0a]),
        (0, vec![0xa2, 0x06, 0x02, 0x08, 0x07]), // a header with id 7, and nothing else
        (0, vec![0xa2, 0x06, 0x02, 0x08, 0x07, 0xc2, 0x3e, 0x00]), // auth_enable
        (1, b"\xff\xff".to_vec()),
        (1, vec![0x08, 0x07, 0x10, 0x01, 0x18, 0x05]), // removes member 5
        (2, vec![]),                                   // ConfChangeV2
        (9, vec![]),
    ]
}

/// The leader's append of one entry after the last, with the news that it is committed.
pub fn append(scene: &Scene, (kind, data): (u32, Vec<u8>)) -> Message {
    let entry = Entry { r#type: Some(kind), term: Some(scene.term), index: Some(scene.index + 1), data: Some(data.into()) };
    Message {
        r#type: Some(APP),
        to: Some(scene.victim),
        from: Some(scene.leader),
        term: Some(scene.term),
        log_term: Some(scene.term),
        index: Some(scene.index),
        entries: vec![entry],
        commit: Some(scene.index + 1),
        ..Message::default()
    }
}

/// Bodies of snapshots, each with more headers.
pub fn snapshots(scene: &Scene) -> Vec<(String, Vec<u8>)> {
    let ours = "x-quorate-incarnation: 7\r\n".to_owned();
    let (from, to) = Voice::Member.names(scene);
    let all: Vec<u64> = scene.others.iter().copied().chain([scene.victim]).collect();
    let head = |term, index, voters| {
        let message = Message {
            r#type: Some(SNAP),
            to: Some(to),
            from: Some(from),
            term: Some(term),
            snapshot: Some(snapshot(scene.term, index, voters)),
            ..Message::default()
        };
        framed(&message.encode_to_vec())
    };
    let content =
        |bytes: &[u8], length: u64, sum: u32| [b"QUORSNAP", &length.to_be_bytes()[..], bytes, &sum.to_be_bytes()].concat();
    let whole = |bytes: &[u8]| content(bytes, bytes.len() as u64, checksum(bytes));
    let beyond = scene.index + 1_000_000;
    let mut bodies = vec![
        (String::new(), [head(scene.term, beyond, all.clone()), vec![0; 1 << 20]].concat()),
        (ours.clone(), u64::MAX.to_be_bytes().to_vec()),
        (ours.clone(), [u64::MAX.to_be_bytes().to_vec(), vec![0; 1 << 16]].concat()),
        (ours.clone(), [head(scene.term, beyond, all.clone()), content(b"short", u64::MAX, 0)].concat()),
        (ours.clone(), [head(scene.term, beyond, all.clone()), content(b"damaged", 7, 1)].concat()),
        (ours.clone(), [head(scene.term, beyond, vec![]), whole(b"nobody votes")].concat()),
    ];
    for index in [1, scene.index, beyond, 1 << 62, u64::MAX] {
        for term in [scene.term, scene.term + 1, u64::MAX] {
            for nonsense in [&b""[..], b"nonsense", &[0; 100_000]] {
                bodies.push((ours.clone(), [head(term, index, all.clone()), whole(nonsense)].concat()));
            }
        }
    }
    bodies
}

/// CRC-32C, bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 })
    })
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_be_bytes(), bytes].concat()
}

/// Answers everybody who opens a stream at `url` with nonsense, for so long; how often.
pub fn serve_streams(url: &str, cluster: u64, scene: &Scene, duration: Duration) -> usize {
    let listener = TcpListener::bind(url.strip_prefix("http://").expect("a plain URL")).expect("a port that was left");
    listener.set_nonblocking(true).expect("a socket");
    let bodies = streams(scene);
    let end = Instant::now() + duration;
    let (mut served, mut held) = (0, Vec::new());
    while Instant::now() < end {
        let Ok((mut socket, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        let _ = socket.set_nonblocking(false);
        let _ = socket.set_read_timeout(Some(Duration::from_millis(100)));
        let _ = socket.read(&mut [0; 4096]);
        let body = &bodies[served % bodies.len()];
        let version = ["3.5.16", "9.9.9", "nonsense", "3.5.16", "3.5.16", "3.5.16"][served % 6];
        let head = format!(
            "HTTP/1.1 200 OK\r\nx-server-version: {version}\r\nx-etcd-cluster-id: {cluster:x}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n",
            body.len()
        );
        let _ = socket.write_all(&[head.as_bytes(), body, b"\r\n"].concat());
        served += 1;
        // Some are left open, some end in the middle.
        if served % 2 == 0 {
            held.push(socket);
        }
    }
    served
}

fn streams(scene: &Scene) -> Vec<Vec<u8>> {
    let mut bodies = vec![
        u64::MAX.to_be_bytes().to_vec(),
        vec![0xff; 100_000],
        vec![9],
        vec![0; 1000],
        [&[1][..], &u64::MAX.to_be_bytes()].concat(),
        [&[1][..], &2_u64.to_be_bytes(), &3_u64.to_be_bytes(), &[0x10, 0x01, 0x18]].concat(),
        [&[2][..], &u64::MAX.to_be_bytes()].concat(),
        [&[2][..], &100_u64.to_be_bytes(), b"short"].concat(),
        framed(b"\xff\xff\xff"),
        (1_u64 << 28).to_be_bytes().to_vec(),
        // Entry after entry of nothing, as many as were announced.
        [&[1][..], &u64::MAX.to_be_bytes(), &vec![0; 1 << 20]].concat(),
    ];
    // The one who is gone speaks with its own voice.
    let speaker = Scene { victim: scene.others[0], others: vec![scene.victim, scene.others[1]], ..*scene };
    for kind in 0..=24 {
        let frames: Vec<u8> =
            messages(kind, Voice::Member, &speaker).iter().flat_map(|message| framed(&message.encode_to_vec())).collect();
        bodies.push(frames);
    }
    bodies
}
