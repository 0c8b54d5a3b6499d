//! Clients of a ZooKeeper server that do not read what they are told, over real sockets.

mod support;

use bytes::{Bytes, BytesMut};
use server::zookeeper::{Config, run_until};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use support::{Folder, free_port};
use tokio::sync::oneshot;
use znodes::{Acl, CreateMode, Id, Op, Permissions, ReadOp};
use zookeeper::client::{Call, ConnectRequest};

const DATA: usize = 500_000;
const READS: i32 = 200;

/// A client with a session.
struct Client(TcpStream);

impl Client {
    /// Waits until the server serves.
    fn new(address: SocketAddr) -> Client {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            assert!(Instant::now() < deadline, "nobody is served");
            if let Ok(mut client) = TcpStream::connect(address).map(Client)
                && client.greet()
            {
                return client;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn greet(&mut self) -> bool {
        self.0.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
        let mut bytes = BytesMut::new();
        let password = Bytes::from_static(&[0; 16]);
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: 30_000,
            session: 0,
            password,
            read_only: Some(false),
        };
        request.encode(&mut bytes);
        self.0.write_all(&bytes).is_ok() && self.frame().is_some()
    }

    fn send(&mut self, call: &Call) {
        let mut bytes = BytesMut::new();
        call.encode(&mut bytes);
        self.0.write_all(&bytes).expect("the server listens");
    }

    fn frame(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).ok()?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut frame).ok()?;
        Some(frame)
    }
}

#[test]
fn who_reads_late_hears_everything_and_keeps_nobody_waiting() {
    let folder = Folder::new();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let mut config = Config::new(folder.path());
    config.client_address = Some(address);
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(run_until(config, async { drop(stopped.await) })).expect("a server that stops when it is told to");
    });

    let mut late = Client::new(address);
    let acl = vec![Acl { permissions: Permissions::ALL, id: Id { scheme: "world".to_owned(), id: "anyone".to_owned() } }];
    let mode = CreateMode::Persistent { sequential: false };
    let create = Op::Create { path: "/big".to_owned(), data: Some(Bytes::from(vec![7; DATA])), acl, mode, op: 1 };
    late.send(&Call::write(1, create));
    late.frame().expect("it was created");

    let read = |xid| Call::read(xid, ReadOp::GetData { path: "/big".to_owned() }, false);
    (0..READS).for_each(|xid| late.send(&read(xid)));
    let mut other = Client::new(address);
    other.send(&read(1));
    assert!(other.frame().is_some_and(|frame| frame.len() > DATA), "others are served meanwhile");
    for xid in 0..READS {
        let frame = late.frame().unwrap_or_else(|| panic!("reply {xid} never came"));
        assert_eq!(frame[..4], xid.to_be_bytes());
        assert!(frame.len() > DATA);
    }
    drop(stop);
    thread.join().expect("the server did not panic");
}
