//! Ensembles of real ZooKeeper servers, Java's and ours, on loopback.
//!
//! A server is a folder with a zoo.cfg; which program runs on it may change from one start to the next.

#![allow(unused_imports, reason = "each test binary uses its part")]

mod load;
mod server;

use super::{free_ports, peer, wait};
use std::path::PathBuf;
use std::process::{Command, Output};

pub use load::Load;
pub use server::{Kind, Server, java};

/// Half a tick is how often a leader speaks, two ticks is the shortest session.
pub const TICK_MS: u64 = 200;

pub struct Ensemble {
    pub servers: Vec<Server>,
    root: tempfile::TempDir,
}

/// What an ensemble is to be made of, beside its servers' kinds.
#[derive(Default)]
pub struct Setup<'a> {
    /// How many of the servers, counted from the end, observe only.
    pub observers: usize,
    /// More lines of zoo.cfg.
    pub settings: &'a [&'a str],
    /// For Quorate's servers.
    pub environment: &'a [(&'a str, &'a str)],
}

/// Whether the original servers, a Java and kazoo are here; if not, the test has said that it is skipped.
pub fn peers() -> bool {
    let needed = ["zookeeper-3.9.3/classpath", "zookeeper-3.8.0/classpath", "java/bin/java", "kazoo/kazoo/client.py"];
    needed.iter().all(|name| peer(name).is_some())
}

impl Ensemble {
    /// Starts one server of each of `kinds` and waits until all of them serve.
    pub fn start(kinds: &[Kind]) -> Ensemble {
        Ensemble::start_with(kinds, &Setup::default())
    }

    pub fn start_with(kinds: &[Kind], setup: &Setup<'_>) -> Ensemble {
        let mut ensemble = Ensemble::prepare(kinds, setup);
        for server in &mut ensemble.servers {
            server.spawn();
        }
        ensemble.wait_serving();
        ensemble
    }

    /// Writes the folders and starts nothing. One server alone is a standalone one.
    pub fn prepare(kinds: &[Kind], setup: &Setup<'_>) -> Ensemble {
        let root = tempfile::tempdir().expect("a temporary folder");
        let ports = free_ports(kinds.len() * 4);
        let voters = kinds.len() - setup.observers;
        let mut lines = vec![
            format!("tickTime={TICK_MS}"),
            "initLimit=50".to_owned(),
            "syncLimit=15".to_owned(),
            "maxClientCnxns=0".to_owned(),
            "maxSessionTimeout=60000".to_owned(),
            "4lw.commands.whitelist=*".to_owned(),
            "preAllocSize=256".to_owned(),
            "extendedTypesEnabled=true".to_owned(),
            "enforceQuota=true".to_owned(),
            "admin.serverAddress=127.0.0.1".to_owned(),
            // user "super", password "super"
            "DigestAuthenticationProvider.superDigest=super:gG7s8t3oDEtIqF6DM9LlI/R+9Ss=".to_owned(),
        ];
        if kinds.len() > 1 {
            lines.extend((0..kinds.len()).map(|i| {
                let role = if i < voters { "participant" } else { "observer" };
                format!("server.{}=127.0.0.1:{}:{}:{role}", i + 1, ports[4 * i + 1], ports[4 * i + 2])
            }));
        }
        lines.extend(setup.settings.iter().map(|line| line.to_string()));
        let mut servers = Vec::new();
        for (i, &kind) in kinds.iter().enumerate() {
            let id = u8::try_from(i + 1).expect("a small ensemble");
            let [client, _, _, admin] = ports[4 * i..4 * i + 4] else { unreachable!("four ports a server") };
            let mut lines = lines.clone();
            if i >= voters {
                lines.push("peerType=observer".to_owned());
            }
            let server = Server::prepare(kind, id, client, admin, root.path(), lines, setup.environment);
            servers.push(server);
        }
        Ensemble { servers, root }
    }

    /// What a client is told: every server's client address.
    pub fn hosts(&self) -> String {
        self.servers.iter().map(Server::address).collect::<Vec<_>>().join(",")
    }

    /// Waits until every running server serves, one leads, and those who follow are in step with it.
    pub fn wait_serving(&self) {
        for server in self.servers.iter().filter(|server| server.is_running()) {
            server.wait_serving();
        }
        if self.servers.len() > 1 {
            let leader = self.leader();
            let others = self.servers.iter().filter(|server| server.is_running()).count() - 1;
            wait(&format!("all to be in step with {}", self.servers[leader].name), || {
                let number = |key: &str| self.servers[leader].monitored(key).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
                number("zk_synced_followers") + number("zk_synced_observers") >= others as f64
            });
        }
    }

    /// The index of the server that leads.
    pub fn leader(&self) -> usize {
        let mut found = None;
        wait("one leader", || {
            let leads = |server: &Server| server.is_running() && server.mode().as_deref() == Some("leader");
            found = self.servers.iter().position(leads);
            found.is_some()
        });
        found.expect("waited for it")
    }

    /// Ends all servers as a power failure would, as far as a signal can.
    pub fn kill_all(&mut self) {
        for server in &mut self.servers {
            server.signal_kill();
        }
        for server in &mut self.servers {
            server.reap();
        }
    }

    pub fn respawn_all(&mut self) {
        for server in self.servers.iter_mut().filter(|server| !server.is_running()) {
            server.spawn();
        }
        self.wait_serving();
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        self.kill_all();
        if std::thread::panicking() {
            for server in &self.servers {
                eprintln!("--- the end of the log of {} ({:?})\n{}", server.name, server.kind, server.end_of_log(6_000));
            }
        }
    }
}

/// A Python program of `tests/zookeeper`, with kazoo in reach.
pub fn python(program: &str, arguments: &[&str]) -> Command {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/zookeeper");
    let mut command = Command::new("python3");
    command
        .arg("-B")
        .arg(folder.join(program))
        .args(arguments)
        .env("PYTHONPATH", peer("kazoo").expect("checked by the test before it began"))
        .env("PYTHONUNBUFFERED", "1");
    command
}

/// Runs such a program, which must succeed, and returns what it printed.
pub fn run_python(program: &str, arguments: &[&str]) -> String {
    let output = python(program, arguments).output().expect("python3 runs");
    succeeded(program, &output)
}

/// Every running server holds the same tree, and none has found a transaction after which its digest was not the leader's. Of a Java
/// server that was started again this is not asked: with a snapshot that was taken while others wrote it finds one now and then,
/// among Java servers alone as well.
pub fn assert_equal_trees(ensemble: &Ensemble) {
    assert_equal_trees_but(ensemble, None);
}

/// The same of all but one, whose tree is its own affair.
pub fn assert_equal_trees_but(ensemble: &Ensemble, but: Option<usize>) {
    let knows = |server: &&Server| server.is_running() && !(server.kind.is_java() && server.starts > 1);
    for server in ensemble.servers.iter().filter(knows) {
        let mismatches = server.monitored("zk_digest_mismatches_count");
        assert!(mismatches.as_deref() == Some("0"), "{} ({:?}) found {mismatches:?} digests wrong", server.name, server.kind);
    }
    let asked = ensemble.servers.iter().enumerate().filter(|(index, server)| server.is_running() && but != Some(*index));
    let addresses: Vec<String> = asked.map(|(_, server)| server.address()).collect();
    println!("{}", run_python("tree.py", &addresses.iter().map(String::as_str).collect::<Vec<_>>()).trim_end());
}

/// What a program printed, which must have succeeded.
pub fn succeeded(program: &str, output: &Output) -> String {
    let (printed, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} failed ({}):\n{printed}\n{complained}", output.status);
    printed.into_owned()
}
