//! What a ZooKeeper server tells of itself: four-letter words, the AdminServer's commands, metrics.

mod support;

use server::zookeeper::{Config, run_until};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use support::{Folder, free_port};
use tokio::sync::oneshot;

/// A server that stands alone, on a thread of its own.
struct Standalone {
    clients: SocketAddr,
    admin: SocketAddr,
    metrics: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _folder: Folder,
}

impl Standalone {
    fn start(set: impl FnOnce(&mut Config)) -> Standalone {
        let folder = Folder::new();
        let [clients, admin, metrics] = [(); 3].map(|()| SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())));
        let mut config = Config::new(folder.path());
        config.client_address = Some(clients);
        config.admin_address = Some(admin);
        config.metrics_address = Some(metrics);
        set(&mut config);
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(run_until(config, async { drop(stopped.await) })).expect("a server that stops when it is told to");
        });
        let server = Standalone { clients, admin, metrics, stop: Some(stop), thread: Some(thread), _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !server.serves() {
            assert!(Instant::now() < deadline, "it does not serve");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    fn serves(&self) -> bool {
        TcpStream::connect(self.clients).is_ok() && self.word("srvr").contains("Mode: standalone")
    }

    fn word(&self, word: &str) -> String {
        ask(self.clients, word.as_bytes())
    }

    fn get(address: SocketAddr, path: &str) -> String {
        ask(address, format!("GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").as_bytes())
    }
}

impl Drop for Standalone {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}

fn ask(address: SocketAddr, question: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    stream.write_all(question).expect("somebody hears");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, and its end");
    answer
}

#[test]
fn who_was_told_goodbye_and_stays_takes_the_place_of_another() {
    const PLACES: usize = 8;
    let server = Standalone::start(|config| config.max_client_connections = PLACES as u32);
    // A connection that is told something and then stays, or none, if there was no room.
    let visit = || {
        let mut stream = TcpStream::connect(server.clients).expect("somebody listens");
        let mut told = String::new();
        let heard = stream.write_all(b"srvr").and_then(|()| stream.read_to_string(&mut told));
        heard.is_ok_and(|length| length > 0).then_some(stream)
    };
    // They stay for a second at most: a slow machine may need more than one attempt.
    assert!((0..20).any(|_| (0..=PLACES).map(|_| visit()).collect::<Vec<_>>().last().is_some_and(Option::is_none)));
    let deadline = Instant::now() + Duration::from_secs(20);
    while visit().is_none() {
        assert!(Instant::now() < deadline, "a place is free once its client is gone");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn words_are_answered_if_they_are_allowed() {
    let server = Standalone::start(|config| config.words = vec!["*".to_owned()]);
    assert_eq!(server.word("ruok"), "imok");
    assert_eq!(server.word("isro"), "rw");
    assert_eq!(server.word("crst"), "Connection stats reset.\n");
    assert_eq!(server.word("srst"), "Server stats reset.\n");
    assert_eq!(server.word("gtmk"), "306");
    assert_eq!(server.word("stmk\0\0\0\0\0\0\0\x07"), "7");
    assert_eq!(
        server.word("wchs"),
        "0 connections watching 0 paths\nTotal watches:0\n\n".trim_end_matches('\n').to_owned() + "\n"
    );
    let lines = |word: &str| server.word(word).lines().map(str::to_owned).collect::<Vec<_>>();
    let stat = lines("stat");
    assert!(stat[0].starts_with("Zookeeper version: 3.9.3-"), "{stat:?}");
    assert_eq!(stat[1], "Clients:");
    assert!(stat.contains(&"Node count: 5".to_owned()), "{stat:?}");
    for key in ["clientPort=", "dataDir=", "tickTime=3000", "minSessionTimeout=6000", "serverId=0"] {
        assert!(lines("conf").iter().any(|line| line.starts_with(key)), "conf says nothing of {key}");
    }
    for key in
        ["zk_version\t3.9.3-", "zk_server_state\tstandalone", "zk_znode_count\t5", "zk_avg_latency\t", "zk_cnt_fsynctime\t"]
    {
        assert!(lines("mntr").iter().any(|line| line.starts_with(key)), "mntr says nothing of {key}");
    }
    for word in ["cons", "dump", "dirs", "envi", "wchc", "wchp"] {
        assert!(!server.word(word).is_empty(), "{word}");
    }
    drop(server);

    let server = Standalone::start(|_| {});
    assert_eq!(server.word("mntr"), "mntr is not executed because it is not in the whitelist.\n");
}

#[test]
fn the_admin_server_answers_every_command() {
    let server = Standalone::start(|_| {});
    let list = Standalone::get(server.admin, "/commands");
    let names: Vec<&str> = list.lines().filter_map(|line| line.strip_prefix("<a href=\"/commands/")?.split('"').next()).collect();
    assert_eq!(names.len(), 28, "{names:?}");
    for name in names.into_iter().filter(|name| !matches!(*name, "snapshot" | "restore")) {
        let answer = Standalone::get(server.admin, &format!("/commands/{name}"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{name}: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").expect("head and body");
        let said: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{name}: {error} in {body}"));
        assert_eq!(said["command"], *name);
        let refuses = matches!(name, "leader" | "set_trace_mask");
        assert_eq!(said["error"].is_null(), !refuses, "{name}: {said}");
    }
    assert!(Standalone::get(server.admin, "/commands/stat").contains("\"node_count\": 5"), "the short names do, too");
    assert!(Standalone::get(server.admin, "/commands/snapshot").starts_with("HTTP/1.1 401"));
    assert!(Standalone::get(server.admin, "/commands/nonsense").contains("Unknown command: nonsense"));
    assert!(Standalone::get(server.admin, "/else").starts_with("HTTP/1.1 404"));
}

#[test]
fn prometheus_reads_what_mntr_says() {
    let server = Standalone::start(|_| {});
    let metrics = Standalone::get(server.metrics, "/metrics");
    for line in
        ["\nznode_count 5\n", "\n# TYPE packets_received gauge\n", "\nreadlatency{quantile=\"0.99\"} ", "\nfsynctime_count "]
    {
        assert!(metrics.contains(line), "{line:?} is not in {metrics}");
    }
    assert!(Standalone::get(server.metrics, "/commands").starts_with("HTTP/1.1 404"), "that is another port's");
}
