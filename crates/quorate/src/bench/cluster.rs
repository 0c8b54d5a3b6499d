//! A cluster of processes on free ports of loopback, in a folder of its own, that ends with this process.

use super::member::{Member, peer};
use crate::client::{channel, status_of};
use crate::processes::{free_ports, this_program};
use etcd::pb::etcdserverpb::StatusResponse;
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where `cargo xtask peers` leaves the Go etcd.
const GO_ETCD: &str = "etcd-3.5.16/etcd";
/// How long a cluster may take to agree on a leader.
const HEALTHY_WITHIN: Duration = Duration::from_secs(60);

/// The members.
pub(super) struct Cluster {
    members: Vec<Member>,
    folder: PathBuf,
}

impl Cluster {
    /// Starts `count` members with these flags besides those that each needs, and waits until they agree on a leader.
    pub(super) async fn start(program: Program, count: u16, dir: Option<&Path>, more: &[String]) -> Result<Cluster, String> {
        let root = dir.map_or_else(std::env::temp_dir, Path::to_owned);
        let folder = root.join(format!("quorate-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
        let count = usize::from(count);
        let ports = free_ports(2 * count).map_err(|error| format!("there are not enough free ports: {error}"))?;
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let initial: Vec<String> = (0..count).map(|i| format!("m{}={}", i + 1, url(ports[2 * i + 1]))).collect();
        let members = (0..count).map(|i| {
            let (name, client, peer) = (format!("m{}", i + 1), url(ports[2 * i]), url(ports[2 * i + 1]));
            let flags = [
                format!("--name={name}"),
                format!("--data-dir={}", folder.join(&name).display()),
                format!("--listen-client-urls={client}"),
                format!("--advertise-client-urls={client}"),
                format!("--listen-peer-urls={peer}"),
                format!("--initial-advertise-peer-urls={peer}"),
                format!("--initial-cluster={}", initial.join(",")),
                format!("--initial-cluster-token={}", folder.display()),
            ];
            let first = program.first.iter().map(|word| (*word).to_owned());
            let arguments = first.chain(flags).chain(more.iter().cloned()).collect();
            Member::new(name, client, program.path.clone(), arguments, &folder)
        });
        let mut cluster = Cluster { members: members.collect(), folder: folder.clone() };
        for index in 0..count {
            cluster.spawn(index)?;
        }
        cluster.healthy().await?;
        Ok(cluster)
    }

    /// The members' URLs for clients.
    pub(super) fn urls(&self) -> Vec<String> {
        self.members.iter().map(|member| member.client.clone()).collect()
    }

    /// Starts a member's process.
    pub(super) fn spawn(&mut self, index: usize) -> Result<(), String> {
        self.members[index].spawn()
    }

    /// Sends a member's process a signal.
    pub(super) fn signal(&self, index: usize, signal: Signal) {
        self.members[index].signal(signal);
    }

    /// Waits until a process that was killed is gone.
    pub(super) async fn reap(&mut self, index: usize) {
        self.members[index].reap().await;
    }

    /// The client URLs of all members but one.
    pub(super) fn survivors(&self, dead: usize) -> Vec<String> {
        let others = self.members.iter().enumerate().filter(|(index, _)| *index != dead);
        others.map(|(_, member)| member.client.clone()).collect()
    }

    /// Waits until every member names the same leader and has applied what the others have; returns the leader's index.
    pub(super) async fn healthy(&self) -> Result<usize, String> {
        let deadline = Instant::now() + HEALTHY_WITHIN;
        loop {
            let mut statuses = Vec::new();
            for member in &self.members {
                statuses.push(status(&member.client).await);
            }
            if let Some(leader) = agreed(&statuses) {
                return Ok(leader);
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "the members do not agree on a leader within {} s; their logs are in {}",
                    HEALTHY_WITHIN.as_secs(),
                    self.folder.display()
                ));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends the members and deletes what they wrote.
    pub(super) async fn end(mut self) {
        for member in &mut self.members {
            member.signal(Signal::KILL);
            member.reap().await;
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn status(url: &str) -> Option<StatusResponse> {
    let patience = Duration::from_millis(500);
    status_of(&channel(url, patience).await.ok()?, patience).await.ok()
}

/// The index of the member that all name as their leader.
fn agreed(statuses: &[Option<StatusResponse>]) -> Option<usize> {
    let statuses: Vec<&StatusResponse> = statuses.iter().map(Option::as_ref).collect::<Option<_>>()?;
    let first = statuses.first()?;
    let same = |status: &&StatusResponse| status.leader == first.leader && status.raft_applied_index >= first.raft_index;
    if first.leader == 0 || !statuses.iter().all(same) {
        return None;
    }
    statuses.iter().position(|status| status.header.as_ref().is_some_and(|header| header.member_id == first.leader))
}

/// What is started, and the words that come before its flags.
#[derive(Clone, Debug)]
pub(super) struct Program {
    path: PathBuf,
    first: &'static [&'static str],
}

impl Program {
    /// This binary, or another of Quorate's.
    pub(super) fn quorate(binary: Option<&Path>) -> Program {
        Program { path: binary.map_or_else(this_program, Path::to_owned), first: &["etcd"] }
    }

    /// The Go etcd that was fetched, or another.
    pub(super) fn go(binary: Option<&Path>) -> Result<Program, String> {
        let path = binary.map(Path::to_owned).or_else(|| peer(GO_ETCD).filter(|path| path.is_file()));
        let path = path.ok_or("no Go etcd was found; fetch one with `cargo xtask peers`, or name one with --binary")?;
        Ok(Program { path, first: &[] })
    }
}
