//! What is killed: an etcd cluster or a ZooKeeper ensemble, and how it is written to.

use super::cluster::{Cluster, Program};
use super::failover::Fate;
use super::zookeeper::Ensemble;
use super::{puts, sets};
use crate::cli::{self, Whose, ZooKeeperServer};
use rustix::process::Signal;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Processes that make one cluster.
pub(super) enum Target {
    Etcd(Cluster),
    ZooKeeper(Ensemble),
}

impl Target {
    /// Starts what the options ask for, and waits until somebody leads.
    pub(super) async fn start(options: &cli::Failover) -> Result<Target, String> {
        let binary = options.binary.as_deref();
        let whose = match options.peer {
            Whose::Quorate => return Target::etcd(Program::quorate(binary), options).await,
            Whose::Etcd => return Target::etcd(Program::go(binary)?, options).await,
            Whose::QuorateZookeeper => ZooKeeperServer::Quorate,
            Whose::Zookeeper => ZooKeeperServer::Java,
        };
        let dir = options.dir.as_deref();
        Ensemble::start(whose, options.members, dir, options.tick_time, options.sync_limit).await.map(Target::ZooKeeper)
    }

    async fn etcd(program: Program, options: &cli::Failover) -> Result<Target, String> {
        let timing = [
            format!("--heartbeat-interval={}", options.heartbeat_interval),
            format!("--election-timeout={}", options.election_timeout),
        ];
        Cluster::start(program, options.members, options.dir.as_deref(), &timing).await.map(Target::Etcd)
    }

    /// Waits until all members are well; returns the index of the one that leads.
    pub(super) async fn healthy(&self) -> Result<usize, String> {
        match self {
            Target::Etcd(cluster) => cluster.healthy().await,
            Target::ZooKeeper(ensemble) => ensemble.healthy().await,
        }
    }

    pub(super) fn signal(&self, index: usize, signal: Signal) {
        match self {
            Target::Etcd(cluster) => cluster.signal(index, signal),
            Target::ZooKeeper(ensemble) => ensemble.signal(index, signal),
        }
    }

    pub(super) async fn reap(&mut self, index: usize) {
        match self {
            Target::Etcd(cluster) => cluster.reap(index).await,
            Target::ZooKeeper(ensemble) => ensemble.reap(index).await,
        }
    }

    pub(super) fn spawn(&mut self, index: usize) -> Result<(), String> {
        match self {
            Target::Etcd(cluster) => cluster.spawn(index),
            Target::ZooKeeper(ensemble) => ensemble.spawn(index),
        }
    }

    /// Begins to write to every member but `leader`, without end; what becomes of each write is told.
    pub(super) async fn write_to_survivors(
        &self,
        leader: usize,
        fates: &mpsc::UnboundedSender<Fate>,
    ) -> Result<Vec<JoinHandle<()>>, String> {
        let mut writing = Vec::new();
        match self {
            Target::Etcd(cluster) => {
                for (index, url) in cluster.survivors(leader).into_iter().enumerate() {
                    writing.push(tokio::spawn(puts::send(index, puts::connect(&url).await?, fates.clone())));
                }
            }
            Target::ZooKeeper(ensemble) => {
                let servers = ensemble.servers().into_iter().enumerate().filter(|(index, _)| *index != leader);
                for (_, server) in servers {
                    let writer = sets::Writer::connect(&server).await?;
                    writing.push(tokio::spawn(writer.send(fates.clone())));
                }
            }
        }
        Ok(writing)
    }

    pub(super) async fn end(self) {
        match self {
            Target::Etcd(cluster) => cluster.end().await,
            Target::ZooKeeper(ensemble) => ensemble.end().await,
        }
    }
}
