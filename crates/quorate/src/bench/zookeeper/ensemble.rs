//! ZooKeeper servers on free ports of loopback, in a folder of their own, that end with this process.

use super::super::member::{Member, peer};
use crate::cli::ZooKeeperServer;
use crate::processes::{free_ports, this_program};
use crate::zk::srvr;
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long an ensemble may take to serve: a JVM on a busy machine starts slowly.
const SERVES_WITHIN: Duration = Duration::from_secs(60);
/// How long a server may take to say how it is.
const PATIENCE: Duration = Duration::from_millis(500);

/// The servers.
pub(crate) struct Ensemble {
    members: Vec<Member>,
    folder: PathBuf,
}

impl Ensemble {
    /// Starts `count` servers, with a tick of so many milliseconds, and waits until all of them serve.
    pub(crate) async fn start(
        whose: ZooKeeperServer,
        count: u16,
        dir: Option<&Path>,
        tick_time: u64,
        sync_limit: u64,
    ) -> Result<Ensemble, String> {
        let root = dir.map_or_else(std::env::temp_dir, Path::to_owned);
        let folder = root.join(format!("quorate-bench-{}", std::process::id()));
        let count = usize::from(count);
        let ports = free_ports(3 * count).map_err(|error| format!("there are not enough free ports: {error}"))?;
        let servers: String =
            (0..count).map(|i| format!("server.{}=127.0.0.1:{}:{}\n", i + 1, ports[3 * i + 1], ports[3 * i + 2])).collect();
        let (program, first) = program(whose)?;
        let mut members = Vec::new();
        for i in 0..count {
            let (name, data) = (format!("z{}", i + 1), folder.join(format!("z{}", i + 1)));
            let config = folder.join(format!("{name}.cfg"));
            let text = format!(
                "dataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\ntickTime={tick_time}\ninitLimit=10\nsyncLimit={sync_limit}\n\
                 maxClientCnxns=0\nadmin.enableServer=false\n4lw.commands.whitelist=*\n{servers}",
                data.display(),
                ports[3 * i]
            );
            fs::create_dir_all(&data)
                .and_then(|()| fs::write(data.join("myid"), (i + 1).to_string()))
                .and_then(|()| fs::write(&config, text))
                .map_err(|error| format!("cannot write into {}: {error}", folder.display()))?;
            let mut arguments = first.clone();
            arguments.push(config.display().to_string());
            let client = format!("127.0.0.1:{}", ports[3 * i]);
            members.push(Member::new(name, client, program.clone(), arguments, &folder));
        }
        let mut ensemble = Ensemble { members, folder };
        for index in 0..count {
            ensemble.spawn(index)?;
        }
        ensemble.healthy().await?;
        Ok(ensemble)
    }

    /// The servers' addresses for clients.
    pub(crate) fn servers(&self) -> Vec<String> {
        self.members.iter().map(|member| member.client.clone()).collect()
    }

    /// Starts a server's process.
    pub(crate) fn spawn(&mut self, index: usize) -> Result<(), String> {
        self.members[index].spawn()
    }

    /// Sends a server's process a signal.
    pub(crate) fn signal(&self, index: usize, signal: Signal) {
        self.members[index].signal(signal);
    }

    /// Waits until a process that was killed is gone.
    pub(crate) async fn reap(&mut self, index: usize) {
        self.members[index].reap().await;
    }

    /// Waits until every server serves; returns the index of the one that leads.
    pub(crate) async fn healthy(&self) -> Result<usize, String> {
        let deadline = Instant::now() + SERVES_WITHIN;
        loop {
            let mut modes = Vec::new();
            for member in &self.members {
                modes.push(srvr(&member.client, PATIENCE).await.ok().map(|srvr| srvr.mode));
            }
            if modes.iter().all(Option::is_some)
                && let Some(leader) = modes.iter().position(|mode| matches!(mode.as_deref(), Some("leader" | "standalone")))
            {
                return Ok(leader);
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "the servers do not all serve within {} s; their logs are in {}",
                    SERVES_WITHIN.as_secs(),
                    self.folder.display()
                ));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends the servers and deletes what they wrote.
    pub(crate) async fn end(mut self) {
        for member in &mut self.members {
            member.signal(Signal::KILL);
            member.reap().await;
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The program, and the words that come before the configuration file.
fn program(whose: ZooKeeperServer) -> Result<(PathBuf, Vec<String>), String> {
    let version = match whose {
        ZooKeeperServer::Quorate => return Ok((this_program(), vec!["zookeeper".to_owned()])),
        ZooKeeperServer::Java => "zookeeper-3.9.3",
    };
    let missing = || format!("no Java ZooKeeper was found ({version}); fetch one with `cargo xtask peers`");
    let (java, folder) = (peer("java/bin/java").ok_or_else(missing)?, peer(version).ok_or_else(missing)?);
    let jars = fs::read_to_string(folder.join("classpath")).map_err(|_| missing())?;
    let jars: Vec<String> = jars.lines().map(|jar| folder.join(jar).display().to_string()).collect();
    // The heap that Debian's own scripts give it.
    let words = ["-Xmx1000m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp"];
    let mut arguments: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    arguments.push(jars.join(":"));
    arguments.push("org.apache.zookeeper.server.quorum.QuorumPeerMain".to_owned());
    Ok((java, arguments))
}
