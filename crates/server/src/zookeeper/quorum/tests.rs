//! What happens between a leader's quorum port and its learners, over real sockets.

use super::super::address::listen;
use super::super::config::Config;
use super::super::inbox::{ConnectionId, Inbox, PeerEvent};
use super::{Arriving, Begin, Leaving, Quorum};
use bytes::{Bytes, BytesMut};
use consensus::{Entry, EntryKind, How, NodeId, Position};
use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;
use storage::zookeeper::Progress;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;
use zab::{Message, Packet};
use znodes::{Change, Header, Kind, Txn};
use zookeeper::config::{Address, HostPort, Server};
use zookeeper::quorum::snapshot::signature;
use zookeeper::quorum::{Speaker, decode};

/// What nothing in these tests takes.
const PATIENCE: Duration = Duration::from_secs(10);
/// What stands for a snapshot here: it ends with this byte.
const END: u8 = 0xee;

/// One server's quorum port.
struct Port {
    quorum: Rc<Quorum>,
    events: mpsc::UnboundedReceiver<PeerEvent>,
    port: u16,
    /// The snapshots that arrived.
    arrived: Rc<RefCell<Vec<u8>>>,
}

/// Server 1 and server 2.
fn with_two<F: Future<Output = ()>>(story: impl FnOnce(Port, Port) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let (one, two) = (free_port().await, free_port().await);
        let mut config = Config::new("/nowhere");
        for (id, quorum_port) in [(1, one), (2, two)] {
            let addresses = vec![Address { host: "127.0.0.1".to_owned(), quorum_port, election_port: 1 }];
            config.ensemble.servers.insert(NodeId(id), Server { addresses, observer: false, client: None });
        }
        let (one, two) = (open(&config, 1, one).await, open(&config, 2, two).await);
        story(one, two).await;
    });
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("its address").port()
}

async fn open(config: &Config, id: u64, port: u16) -> Port {
    let config = Config { id, ..config.clone() };
    let (tell, events) = mpsc::unbounded_channel();
    let arrived = Rc::new(RefCell::new(Vec::new()));
    let keep = arrived.clone();
    let begin: Begin = Box::new(move |_, _| receive(keep.clone()));
    let speaker = Speaker { sid: id as i64, configuration: Bytes::from_static(b"version=0") };
    let quorum = Quorum::new(&config, speaker, begin, Inbox::new(tell));
    let place = HostPort { host: "127.0.0.1".to_owned(), port };
    quorum.open(listen(&[place], false).await.expect("the port is free"));
    Port { quorum, events, port, arrived }
}

fn receive(arrived: Rc<RefCell<Vec<u8>>>) -> Arriving {
    let (bytes, mut received) = mpsc::channel::<Bytes>(1);
    let (tell, progress) = mpsc::channel(1);
    spawn_local(async move {
        while let Some(piece) = received.recv().await {
            let end = piece.iter().position(|&byte| byte == END);
            let taken = end.map_or(piece.len(), |end| end + 1);
            arrived.borrow_mut().extend_from_slice(&piece[..taken]);
            let _ = tell.send(Ok(Progress { taken, whole: end.is_some() })).await;
        }
    });
    Arriving { bytes, progress }
}

impl Port {
    async fn event(&mut self) -> PeerEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("in time").expect("the port lives")
    }

    async fn connected(&mut self) -> ConnectionId {
        match self.event().await {
            PeerEvent::Connected { connection, .. } => connection,
            other => panic!("not connected: {other:?}"),
        }
    }

    async fn packets(&mut self, count: usize) -> Vec<Packet> {
        let mut packets = Vec::new();
        while packets.len() < count {
            let PeerEvent::Said { messages, .. } = self.event().await else { panic!("nothing said") };
            packets.extend(messages.into_iter().map(|message| match message {
                Message::Packet(packet) => packet,
                Message::Notification(_) => panic!("a notification"),
            }));
        }
        packets
    }

    fn say(&self, to: u64, packets: &[Packet]) {
        for packet in packets {
            self.quorum.send(NodeId(to), packet);
        }
        self.quorum.flush();
    }
}

fn learner_info() -> Packet {
    Packet::LearnerInfo { accepted: 0, observer: false, config_version: 0 }
}

/// A transaction that sets so many bytes.
fn entry(index: u64, size: usize) -> Entry {
    let position = Position::new(1, index);
    let header = Header { session: 7, cxid: 1, position, time: 0, kind: Kind::SET_DATA };
    let change = Change::SetData { path: "/a".to_owned(), data: Some(Bytes::from(vec![1; size])), version: 1 };
    let data = zookeeper::txn::encode(&Txn { header, change, digest: None });
    Entry { position, kind: EntryKind::Command, data }
}

/// Server 1 becomes a learner of server 2.
async fn join(one: &mut Port, two: &mut Port) -> (ConnectionId, ConnectionId) {
    one.quorum.connect(NodeId(2));
    let here = one.connected().await;
    one.say(2, &[learner_info()]);
    let there = two.connected().await;
    assert_eq!(two.packets(1).await, [learner_info()]);
    (here, there)
}

#[test]
fn packets_large_and_small_keep_their_order() {
    with_two(|mut one, mut two| async move {
        join(&mut one, &mut two).await;
        let mut packets = vec![Packet::LeaderInfo { epoch: 1 }];
        for index in 1..200 {
            let entry = entry(index, if index % 10 == 0 { 300_000 } else { 10 });
            packets.extend([Packet::Proposal { entry }, Packet::Commit { position: Position::new(1, index) }]);
        }
        two.say(1, &packets);
        assert_eq!(one.packets(packets.len()).await, packets);
        one.say(2, &[Packet::Ack { position: Position::new(1, 199) }]);
        assert_eq!(two.packets(1).await, [Packet::Ack { position: Position::new(1, 199) }]);
    });
}

#[test]
fn a_learner_takes_the_transactions_of_its_leader_however_long() {
    with_two(|mut one, mut two| async move {
        let (_, there) = join(&mut one, &mut two).await;
        // The end of a session with ephemeral nodes beyond jute.maxbuffer and its extra size.
        let packets = [Packet::Proposal { entry: entry(1, 5 << 20) }, Packet::Inform { entry: entry(2, 5 << 20) }];
        two.say(1, &packets);
        assert_eq!(one.packets(2).await, packets);
        // A leader takes no such thing from a learner.
        one.say(2, &packets[..1]);
        loop {
            match two.event().await {
                PeerEvent::Drained { .. } => {}
                PeerEvent::Ended { connection, .. } => break assert_eq!(connection, there),
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn a_snapshot_takes_its_place_among_the_packets() {
    with_two(|mut one, mut two| async move {
        join(&mut one, &mut two).await;
        let (feed, pieces) = mpsc::channel(1);
        let position = Position::new(1, 5);
        two.quorum.send_snapshot(NodeId(1), &Packet::Snapshot { position }, Leaving { pieces });
        two.say(1, &[Packet::NewLeader { epoch: 1 }]);
        for _ in 0..50 {
            feed.send(Ok(Bytes::from(vec![7; 100_000]))).await.expect("it is being sent");
        }
        feed.send(Ok(Bytes::from_static(&[7, END]))).await.expect("it is being sent");
        feed.send(Ok(signature())).await.expect("it is being sent");
        drop(feed);
        let PeerEvent::SnapshotArrived { message, .. } = one.event().await else { panic!("no snapshot") };
        assert_eq!(message, Message::Packet(Packet::Snapshot { position }));
        assert_eq!(one.arrived.borrow().len(), 5_000_002);
        assert_eq!(one.packets(1).await, [Packet::NewLeader { epoch: 1 }]);
        assert!(matches!(two.event().await, PeerEvent::SnapshotSent { delivered: true, .. }));
    });
}

#[test]
fn a_snapshot_that_takes_long_is_heard_of_while_it_comes() {
    with_two(|mut one, mut two| async move {
        join(&mut one, &mut two).await;
        let (feed, pieces) = mpsc::channel(1);
        let position = Position::new(1, 5);
        two.quorum.send_snapshot(NodeId(1), &Packet::Snapshot { position }, Leaving { pieces });
        two.quorum.flush();
        // Until this is heard there is always more to come.
        let feeding = spawn_local(async move {
            while feed.send(Ok(Bytes::from_static(&[7; 10]))).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(matches!(one.event().await, PeerEvent::SnapshotComes { peer: NodeId(2), .. }));
        feeding.abort();
    });
}

#[test]
fn a_snapshot_that_cannot_be_read_ends_the_link() {
    with_two(|mut one, mut two| async move {
        join(&mut one, &mut two).await;
        let (feed, pieces) = mpsc::channel(1);
        two.quorum.send_snapshot(NodeId(1), &Packet::Snapshot { position: Position::new(1, 5) }, Leaving { pieces });
        two.quorum.flush();
        feed.send(Err("it is damaged".to_owned())).await.expect("it is being sent");
        assert!(matches!(two.event().await, PeerEvent::SnapshotSent { delivered: false, .. }));
        assert!(matches!(two.event().await, PeerEvent::Ended { how: How::Lost, .. }));
        assert!(matches!(one.event().await, PeerEvent::Ended { how: How::Lost, .. }));
    });
}

#[test]
fn a_learner_that_does_not_read_is_given_up() {
    with_two(|_, mut two| async move {
        let mut stream = TcpStream::connect(("127.0.0.1", two.port)).await.expect("the port is open");
        let speaker = Speaker { sid: 1, configuration: Bytes::new() };
        stream.write_all(&speaker.encode(&learner_info())).await.expect("it stands");
        two.connected().await;
        two.packets(1).await;
        let proposal = Packet::Proposal { entry: entry(1, 1 << 20) };
        for _ in 0..20 {
            two.say(1, std::slice::from_ref(&proposal));
        }
        assert!(!two.quorum.is_drained(NodeId(1)));
        for _ in 0..180 {
            two.say(1, std::slice::from_ref(&proposal));
        }
        assert!(matches!(two.event().await, PeerEvent::Ended { peer: NodeId(1), .. }));
    });
}

#[test]
fn a_learner_that_reads_again_is_drained() {
    with_two(|mut one, mut two| async move {
        let (_, there) = join(&mut one, &mut two).await;
        let packets: Vec<Packet> = (1..=20).map(|index| Packet::Proposal { entry: entry(index, 1 << 20) }).collect();
        two.say(1, &packets);
        assert!(!two.quorum.is_drained(NodeId(1)));
        assert_eq!(one.packets(packets.len()).await, packets);
        let PeerEvent::Drained { peer: NodeId(1), connection } = two.event().await else { panic!("not drained") };
        assert_eq!(connection, there);
        assert!(two.quorum.is_drained(NodeId(1)));
    });
}

/// The socket may take at once all that was waited for.
#[test]
fn a_learner_that_takes_all_at_once_is_drained() {
    with_two(|mut one, mut two| async move {
        join(&mut one, &mut two).await;
        // The first make the kernel give the connection larger buffers.
        for count in [20, 1, 1, 1] {
            for _ in 0..count {
                two.quorum.send(NodeId(1), &Packet::Proposal { entry: entry(1, 1 << 20) });
            }
            assert!(!two.quorum.is_drained(NodeId(1)), "nothing has left yet");
            two.quorum.flush();
            assert_eq!(one.packets(count).await.len(), count);
            assert!(matches!(two.event().await, PeerEvent::Drained { peer: NodeId(1), .. }));
        }
    });
}

#[test]
fn whoever_does_not_begin_as_a_learner_is_let_go() {
    with_two(|_, mut two| async move {
        let speaker = Speaker { sid: 1, configuration: Bytes::new() };
        let stranger = Speaker { sid: 9, configuration: Bytes::new() };
        let firsts =
            [speaker.encode(&Packet::UpToDate), stranger.encode(&learner_info()), Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n")];
        for first in firsts {
            let mut stream = TcpStream::connect(("127.0.0.1", two.port)).await.expect("the port is open");
            stream.write_all(&first).await.expect("it stands");
            let read = timeout(PATIENCE, stream.read(&mut [0; 1])).await.expect("in time");
            assert!(matches!(read, Ok(0) | Err(_)));
        }
        assert!(two.events.try_recv().is_err());
    });
}

#[test]
fn a_second_connection_takes_the_place_of_the_first() {
    with_two(|_, mut two| async move {
        let speaker = Speaker { sid: 1, configuration: Bytes::new() };
        let mut streams = Vec::new();
        for _ in 0..2 {
            let mut stream = TcpStream::connect(("127.0.0.1", two.port)).await.expect("the port is open");
            stream.write_all(&speaker.encode(&learner_info())).await.expect("it stands");
            two.connected().await;
            two.packets(1).await;
            streams.push(stream);
        }
        two.say(1, &[Packet::LeaderInfo { epoch: 3 }]);
        let mut buffer = BytesMut::new();
        let packet = loop {
            if let Some(received) = decode(&mut buffer, 1 << 20).expect("a packet") {
                break received.packet;
            }
            assert!(streams[1].read_buf(&mut buffer).await.expect("it stands") > 0);
        };
        assert_eq!(packet, Packet::LeaderInfo { epoch: 3 });
        assert_eq!(streams[0].read(&mut [0; 1]).await.expect("an end"), 0);
    });
}

#[test]
fn of_two_that_take_each_other_for_the_leader_neither_leads() {
    with_two(|mut one, mut two| async move {
        one.quorum.connect(NodeId(2));
        two.quorum.connect(NodeId(1));
        one.connected().await;
        two.connected().await;
        one.say(2, &[learner_info()]);
        two.say(1, &[learner_info()]);
        assert!(matches!(one.event().await, PeerEvent::Ended { .. }));
        assert!(matches!(two.event().await, PeerEvent::Ended { .. }));
    });
}
