//! What happens at the election port, over real sockets.

use super::super::address::listen;
use super::super::config::Config;
use super::super::inbox::{Inbox, PeerEvent};
use super::Election;
use bytes::{Bytes, BytesMut};
use consensus::{How, Link, NodeId};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};
use zab::{Message, Notification, State, Vote};
use zookeeper::config::{Address, HostPort, Server};
use zookeeper::election::{Greeting, encode, frame, notification};

/// What nothing in these tests takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Server 2 of three, and what the others' election ports would be.
struct World {
    election: Rc<Election>,
    port: u16,
    events: mpsc::UnboundedReceiver<PeerEvent>,
    others: [TcpListener; 2],
}

fn in_a_world<F: Future<Output = ()>>(story: impl FnOnce(World) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let port = || async { TcpListener::bind("127.0.0.1:0").await.expect("a free port") };
        let (one, three, own) = (port().await, port().await, port().await);
        let mut config = Config::new("/nowhere");
        config.id = 2;
        for (id, listener) in [(1, &one), (2, &own), (3, &three)] {
            let election_port = listener.local_addr().expect("its address").port();
            let addresses = vec![Address { host: "127.0.0.1".to_owned(), quorum_port: 1, election_port }];
            config.ensemble.servers.insert(NodeId(id), Server { addresses, observer: false, client: None });
        }
        let (tell, events) = mpsc::unbounded_channel();
        let port = own.local_addr().expect("its address").port();
        drop(own);
        let place = HostPort { host: "127.0.0.1".to_owned(), port };
        let election = Election::new(&config, Bytes::from_static(b"version=0"), Inbox::new(tell));
        election.open(listen(&[place], false).await.expect("the port is free again"));
        story(World { election, port, events, others: [one, three] }).await;
    });
}

impl World {
    async fn event(&mut self) -> PeerEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("in time").expect("the election lives")
    }

    async fn call(&self, sid: i64) -> Peer {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("the port is open");
        let mut peer = Peer { stream, buffer: BytesMut::new() };
        let addresses = vec![HostPort { host: "127.0.0.1".to_owned(), port: 9 }];
        peer.write(&Greeting { sid, addresses }.encode()).await;
        peer
    }

    async fn called_by_two(&self, who: usize) -> Peer {
        let (stream, _) = timeout(PATIENCE, self.others[who].accept()).await.expect("in time").expect("a connection");
        let mut peer = Peer { stream, buffer: BytesMut::new() };
        loop {
            if let Some(greeting) = Greeting::decode(&mut peer.buffer).expect("a greeting") {
                assert_eq!(greeting.sid, 2);
                assert_eq!(greeting.addresses[0].port, self.port);
                return peer;
            }
            assert!(peer.read().await > 0, "ended before its greeting");
        }
    }
}

/// The other end of a connection.
struct Peer {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Peer {
    async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the connection stands");
    }

    async fn read(&mut self) -> usize {
        timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await.expect("in time").unwrap_or(0)
    }

    /// The round of the next notification.
    async fn hear(&mut self) -> i64 {
        loop {
            if let Some(frame) = frame(&mut self.buffer).expect("a frame") {
                return notification(&frame).expect("a notification").notification.round;
            }
            assert!(self.read().await > 0, "ended");
        }
    }

    async fn is_closed(&mut self) -> bool {
        self.read().await == 0
    }
}

fn vote(round: i64) -> Notification {
    Notification { state: State::Looking, vote: Vote { epoch: 1, zxid: 2, leader: 3 }, round }
}

#[test]
fn the_larger_id_opens_the_connection() {
    in_a_world(|mut world| async move {
        // To a smaller one it is ours.
        world.election.send(1, &vote(7));
        let mut one = world.called_by_two(0).await;
        assert_eq!(one.hear().await, 7);
        assert!(matches!(world.event().await, PeerEvent::Connected { peer: NodeId(1), link: Link::Election, .. }));
        one.write(&encode(&vote(8), b"")).await;
        let PeerEvent::Said { peer: NodeId(1), messages, .. } = world.event().await else { panic!("not what it said") };
        assert_eq!(messages, [Message::Notification(vote(8))]);
        drop(one);
        assert!(matches!(world.event().await, PeerEvent::Ended { peer: NodeId(1), how: How::Lost, .. }));

        // A larger one is greeted, and calls back.
        world.election.send(3, &vote(9));
        assert!(world.called_by_two(1).await.is_closed().await);
        let mut three = world.call(3).await;
        assert_eq!(three.hear().await, 9);
        assert!(matches!(world.event().await, PeerEvent::Connected { peer: NodeId(3), .. }));

        // A smaller one that calls is called back.
        let mut one = world.call(1).await;
        assert!(one.is_closed().await);
        assert_eq!(world.called_by_two(0).await.hear().await, 7, "what was said last is said again");
    });
}

#[test]
fn only_the_newest_vote_waits_and_the_last_one_is_said_again() {
    in_a_world(|mut world| async move {
        for round in 1..=5 {
            world.election.send(3, &vote(round));
        }
        assert!(world.called_by_two(1).await.is_closed().await);
        let mut three = world.call(3).await;
        assert_eq!(three.hear().await, 5);
        let PeerEvent::Connected { connection: first, .. } = world.event().await else { panic!("not connected") };
        // A newer connection takes the place of the older.
        let mut again = world.call(3).await;
        assert_eq!(again.hear().await, 5);
        let PeerEvent::Connected { connection: second, .. } = world.event().await else { panic!("not connected again") };
        assert!(second > first);
        assert!(three.is_closed().await);
    });
}

/// Whether the kernel will soon ask whether the other end of a connection of this process' is still there: it has a timer of the kind
/// 2 for it, which goes off in less than two minutes and not in two hours.
async fn is_watched_over(stream: &TcpStream) -> bool {
    let port = |address: io::Result<SocketAddr>| format!(":{:04X}", address.expect("an address").port());
    let (own, other) = (port(stream.peer_addr()), port(stream.local_addr()));
    // While something is on its way there is another timer.
    for _ in 0..100 {
        let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
        let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let timer = rows.filter(|row| row[1].ends_with(&own) && row[2].ends_with(&other)).find_map(|row| {
            let (kind, hundredths) = row[5].split_once(':')?;
            (kind == "02").then(|| u64::from_str_radix(hundredths, 16).expect("a number"))
        });
        if let Some(hundredths) = timer {
            return hundredths < 12_000;
        }
        sleep(Duration::from_millis(10)).await;
    }
    false
}

#[test]
fn connections_that_stand_are_watched_over_whoever_opened_them() {
    in_a_world(|world| async move {
        world.election.send(1, &vote(1));
        let mut one = world.called_by_two(0).await;
        assert_eq!(one.hear().await, 1);
        assert!(is_watched_over(&one.stream).await, "it was opened here");

        let mut three = world.call(3).await;
        world.election.send(3, &vote(2));
        assert_eq!(three.hear().await, 2);
        assert!(is_watched_over(&three.stream).await, "it was opened there");
    });
}

#[test]
fn a_server_that_is_not_there_is_refused_each_time() {
    in_a_world(|mut world| async move {
        let [one, three] = world.others;
        drop(one);
        world.others = [three, TcpListener::bind("127.0.0.1:0").await.expect("a free port")];
        for _ in 0..2 {
            world.election.send(1, &vote(1));
            let event = world.event().await;
            assert!(matches!(event, PeerEvent::Unreachable { peer: NodeId(1), how: How::Refused, .. }), "{event:?}");
        }
    });
}

#[test]
fn strangers_are_answered_and_liars_are_let_go() {
    in_a_world(|mut world| async move {
        for bytes in [&[0xff; 8][..], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0x7f, 0, 0, 0]] {
            let stream = TcpStream::connect(("127.0.0.1", world.port)).await.expect("the port is open");
            let mut peer = Peer { stream, buffer: BytesMut::new() };
            peer.write(bytes).await;
            assert!(peer.is_closed().await);
        }
        let mut three = world.call(3).await;
        assert!(matches!(world.event().await, PeerEvent::Connected { .. }));
        three.write(&[0x7f, 0xff, 0xff, 0xff]).await;
        assert!(three.is_closed().await);
        assert!(matches!(world.event().await, PeerEvent::Ended { peer: NodeId(3), .. }));

        let mut stranger = world.call(-1).await;
        stranger.write(&encode(&vote(1), b"")).await;
        let PeerEvent::Stranger { sid, .. } = world.event().await else { panic!("not a stranger") };
        world.election.send(sid, &vote(4));
        assert_eq!(stranger.hear().await, 4);
    });
}
