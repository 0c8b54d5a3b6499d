//! Clusters of real processes, ours and Go's, on loopback.
//!
//! Members take free ports and temporary folders, and die with the value that started them.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test binary uses its part")]

pub mod compare;
mod ports;
pub mod zookeeper;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub use ports::free_ports;

/// Whose program a member runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Quorate,
    /// Go etcd 3.5.16.
    Go,
}

/// A program that tests talk to, as `cargo xtask peers` left it.
///
/// `None` where it was not fetched: the test says that it is skipped. In CI nothing is skipped.
pub fn peer(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("QUORATE_PEERS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/peers"), PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path.canonicalize().expect("a path that exists"));
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing: run `cargo xtask peers`", path.display());
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Not eprintln!: the test passes, and of those that pass the harness shows nothing that went through it.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {name} is missing; `cargo xtask peers` fetches it");
    None
}

/// Both versions of etcdctl, with the name to print.
pub fn etcdctls() -> Option<[(&'static str, PathBuf); 2]> {
    Some([("3.5.16", peer("etcdctl-3.5.16/etcdctl")?), ("3.4.23", peer("etcdctl-3.4.23/etcdctl")?)])
}

/// A number from the environment: how often to repeat what `cargo xtask ci` does less often than `cargo xtask prove`.
pub fn count(variable: &str, default: u32) -> u32 {
    std::env::var(variable)
        .map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{variable} must be a whole number, and is {value:?}")))
}

pub struct Member {
    pub kind: Kind,
    pub name: String,
    pub client: String,
    pub peer: String,
    pub dir: PathBuf,
    log: PathBuf,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
    child: Option<Child>,
}

/// Where a member listens, and what it tells others.
pub struct Addresses {
    pub listen_client: String,
    pub listen_peer: String,
    pub client: String,
    pub peer: String,
}

impl Addresses {
    fn plain(client: String, peer: String) -> Addresses {
        Addresses { listen_client: client.clone(), listen_peer: peer.clone(), client, peer }
    }
}

pub struct Cluster {
    pub members: Vec<Member>,
    root: tempfile::TempDir,
}

impl Cluster {
    /// Starts one member of each of `kinds`, from the same flags, and waits until all of them serve.
    pub fn start(kinds: &[Kind]) -> Cluster {
        Cluster::start_with(kinds, &[], &[])
    }

    /// As `start`, with more flags for all and more environment for Quorate's.
    pub fn start_with(kinds: &[Kind], more: &[&str], environment: &[(&str, &str)]) -> Cluster {
        let ports = free_ports(kinds.len() * 2);
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let addresses: Vec<Addresses> = ports.chunks(2).map(|ports| Addresses::plain(url(ports[0]), url(ports[1]))).collect();
        let mut cluster = Cluster::assemble(kinds, &addresses, more, environment);
        for member in &mut cluster.members {
            member.spawn();
        }
        cluster.wait_healthy();
        cluster
    }

    /// As `start_with`, at these addresses, and nobody is started yet.
    pub fn assemble(kinds: &[Kind], addresses: &[Addresses], more: &[&str], environment: &[(&str, &str)]) -> Cluster {
        let root = tempfile::tempdir().expect("a temporary folder");
        let initial: Vec<String> = addresses.iter().enumerate().map(|(i, at)| format!("m{}={}", i + 1, at.peer)).collect();
        let mut members = Vec::new();
        for (i, (&kind, at)) in kinds.iter().zip(addresses).enumerate() {
            let name = format!("m{}", i + 1);
            let dir = root.path().join(&name);
            let mut flags: Vec<String> = vec![
                format!("--name={name}"),
                format!("--data-dir={}", dir.display()),
                format!("--listen-client-urls={}", at.listen_client),
                format!("--advertise-client-urls={}", at.client),
                format!("--listen-peer-urls={}", at.listen_peer),
                format!("--initial-advertise-peer-urls={}", at.peer),
                format!("--initial-cluster={}", initial.join(",")),
                "--initial-cluster-state=new".into(),
                "--initial-cluster-token=tests".into(),
            ];
            flags.extend(more.iter().map(|flag| flag.to_string()));
            members.push(Member {
                kind,
                log: root.path().join(format!("{name}.log")),
                name,
                client: at.listen_client.clone(),
                peer: at.listen_peer.clone(),
                dir,
                flags,
                environment: environment.iter().map(|&(key, value)| (key.into(), value.into())).collect(),
                child: None,
            });
        }
        Cluster { members, root }
    }

    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|member| member.client.clone()).collect()
    }

    /// Waits until every running member answers a linearizable read.
    pub fn wait_healthy(&self) {
        for member in self.members.iter().filter(|member| member.is_running()) {
            member.wait_healthy();
        }
    }

    /// The index of the member that leads, as the running members agree.
    pub fn leader(&self) -> usize {
        let mut found = None;
        wait("one leader", || {
            let leaders: Vec<Option<u64>> =
                self.members.iter().filter(|m| m.is_running()).map(|m| m.status().map(|status| status.leader)).collect();
            let first = leaders.first().copied().flatten().filter(|&id| id != 0);
            let agreed = first.filter(|_| leaders.iter().all(|&leader| leader == first));
            found = agreed.and_then(|id| {
                self.members.iter().position(|m| m.is_running() && m.status().is_some_and(|status| status.id == id))
            });
            found.is_some()
        });
        found.expect("waited for it")
    }

    /// Ends all members as a power failure would, as far as a signal can.
    pub fn kill_all(&mut self) {
        for member in &mut self.members {
            member.signal_kill();
        }
        for member in &mut self.members {
            member.reap();
        }
    }

    pub fn respawn_all(&mut self) {
        for member in &mut self.members {
            if !member.is_running() {
                member.spawn();
            }
        }
        self.wait_healthy();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill_all();
        if std::thread::panicking() {
            for member in &self.members {
                eprintln!("--- the end of {}'s log\n{}", member.name, tail(&member.log, 4_000));
            }
        }
    }
}

/// What a member says of itself.
pub struct MemberStatus {
    pub id: u64,
    pub leader: u64,
    pub revision: i64,
}

impl Member {
    pub fn spawn(&mut self) {
        let program = match self.kind {
            Kind::Quorate => PathBuf::from(env!("CARGO_BIN_EXE_quorate")),
            Kind::Go => peer("etcd-3.5.16/etcd").expect("checked by the test before it began"),
        };
        let log = File::options().create(true).append(true).open(&self.log).expect("a log file");
        let mut command = Command::new(program);
        if self.kind == Kind::Quorate {
            command.arg("etcd").envs(self.environment.iter().map(|(key, value)| (key, value)));
        }
        let child = command
            .args(&self.flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", self.name));
        self.child = Some(child);
    }

    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running member").id()
    }

    pub fn kill(&mut self) {
        self.signal_kill();
        self.reap();
    }

    fn signal_kill(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().expect("a signal");
        }
    }

    fn reap(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.wait().expect("an exit status");
        }
    }

    /// Asks the member to stop (SIGTERM) and waits until it has.
    pub fn terminate(&mut self) -> std::process::ExitStatus {
        let mut child = self.child.take().expect("a running member");
        let sent = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().expect("the command kill");
        assert!(sent.success());
        let mut status = None;
        wait("the member to stop", || {
            status = child.try_wait().expect("an exit status");
            status.is_some()
        });
        status.expect("waited for it")
    }

    /// Whether the member's log has a line with any of these.
    pub fn log_contains(&self, any: &[&str]) -> bool {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        any.iter().any(|text| log.contains(text))
    }

    pub fn wait_healthy(&self) {
        wait(&format!("{} to be healthy; its log ends:\n{}", self.name, tail(&self.log, 2_000)), || {
            http_get(&self.client, "/health").is_some_and(|answer| answer.contains(r#""health":"true""#))
        });
    }

    pub fn status(&self) -> Option<MemberStatus> {
        let etcdctl = peer("etcdctl-3.5.16/etcdctl")?;
        let output = Command::new(etcdctl)
            .args(["--endpoints", &self.client, "--command-timeout=2s", "endpoint", "status", "-w", "json"])
            .output()
            .expect("etcdctl runs");
        let parsed: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        let status = &parsed[0]["Status"];
        Some(MemberStatus {
            id: status["header"]["member_id"].as_u64()?,
            leader: status["leader"].as_u64().unwrap_or(0),
            revision: status["header"]["revision"].as_i64().unwrap_or(0),
        })
    }
}

/// Waits for a condition, for at most a minute.
pub fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(60), "waited a minute for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The body and head of a plain HTTP answer.
pub fn http_get(url: &str, path: &str) -> Option<String> {
    let address = url.strip_prefix("http://")?;
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn tail(path: &Path, bytes: usize) -> String {
    let text = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(bytes)..]).into_owned()
}
