//! A cluster of processes on free ports of loopback, in a folder of its own, that ends with this process.

use super::member::{Member, peer};
use crate::cli::{self, Whose};
use crate::client::{channel, status_of};
use crate::processes::{free_ports, this_program};
use etcd::pb::etcdserverpb::StatusResponse;
use rustix::process::Signal;
use std::fs;
use std::path::PathBuf;
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
    /// Starts the members and waits until they agree on a leader.
    pub(super) async fn start(options: &cli::Failover) -> Result<Cluster, String> {
        let folder = options.dir.clone().unwrap_or_else(std::env::temp_dir).join(format!("quorate-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
        let count = usize::from(options.members);
        let ports = free_ports(2 * count).map_err(|error| format!("there are not enough free ports: {error}"))?;
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let initial: Vec<String> = (0..count).map(|i| format!("m{}={}", i + 1, url(ports[2 * i + 1]))).collect();
        let (program, first) = program(options)?;
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
                format!("--heartbeat-interval={}", options.heartbeat_interval),
                format!("--election-timeout={}", options.election_timeout),
            ];
            let arguments = first.iter().map(|word| (*word).to_owned()).chain(flags).collect();
            Member::new(name, client, program.clone(), arguments, &folder)
        });
        let mut cluster = Cluster { members: members.collect(), folder: folder.clone() };
        for index in 0..count {
            cluster.spawn(index)?;
        }
        cluster.healthy().await?;
        Ok(cluster)
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

/// The program, and the words that come before its flags.
fn program(options: &cli::Failover) -> Result<(PathBuf, &'static [&'static str]), String> {
    match (options.peer, &options.binary) {
        (Whose::Quorate, None) => Ok((this_program(), &["etcd"])),
        (Whose::Quorate, Some(path)) => Ok((path.clone(), &["etcd"])),
        (Whose::Etcd, Some(path)) => Ok((path.clone(), &[])),
        (Whose::QuorateZookeeper | Whose::Zookeeper, _) => unreachable!("an ensemble is started elsewhere"),
        (Whose::Etcd, None) => fetched_etcd()
            .map(|path| (path, &[][..]))
            .ok_or_else(|| "no Go etcd was found; fetch one with `cargo xtask peers`, or name one with --binary".to_owned()),
    }
}

/// The Go etcd that was fetched.
fn fetched_etcd() -> Option<PathBuf> {
    peer(GO_ETCD).filter(|path| path.is_file())
}
