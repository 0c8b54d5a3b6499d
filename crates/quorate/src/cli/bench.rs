//! `quorate bench`'s words.

pub(crate) mod etcd;

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// How long the cluster takes no writes when its leader dies
    Failover(Failover),
    /// How much ZooKeeper servers can do, and what it costs them
    Zookeeper(ZooKeeperBench),
    /// How much etcd members can do, and what it costs them
    Etcd {
        #[command(subcommand)]
        load: etcd::Load,
    },
}

/// What a load of ZooKeeper servers consists of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ZooKeeperLoad {
    /// getData: every connection of its own node
    Get,
    /// setData: every connection of its own node
    Set,
    /// create: a new node each
    Create,
    /// Seven getData to three setData
    Mixed,
}

/// Whose servers are started to be measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ZooKeeperServer {
    /// This binary's
    #[value(alias = "quorate-zookeeper")]
    Quorate,
    /// The Java ZooKeeper 3.9.3 that `cargo xtask peers` fetched
    #[value(alias = "zookeeper")]
    Java,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ZooKeeperBench {
    /// What to do
    pub(crate) load: ZooKeeperLoad,
    /// Servers that run already, apart by commas [default: three are started for it]
    #[arg(long, value_delimiter = ',', conflicts_with = "peer")]
    pub(crate) servers: Vec<String>,
    /// Whose servers to start
    #[arg(long, default_value = "quorate")]
    pub(crate) peer: ZooKeeperServer,
    /// How many servers to start
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=9))]
    pub(crate) members: u16,
    /// Where they keep their data [default: the folder for temporary files]
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// How many clients, spread over the servers
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) connections: u32,
    /// How many requests each has under way
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) window: u32,
    /// How many requests in all
    #[arg(long, default_value_t = 500_000)]
    pub(crate) total: u64,
    /// Bytes of data a node
    #[arg(long, default_value_t = 256)]
    pub(crate) value_size: usize,
    /// Leave the nodes there
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Failover {
    /// Whose members: this binary's, or the originals that `cargo xtask peers` fetched
    #[arg(long, default_value = "quorate")]
    pub(crate) peer: Whose,
    /// The path of another binary
    #[arg(long)]
    pub(crate) binary: Option<PathBuf>,
    /// How often
    #[arg(long, default_value_t = 20)]
    pub(crate) kills: u32,
    /// Stop the leader (SIGSTOP) instead of killing it (SIGKILL)
    #[arg(long)]
    pub(crate) hang: bool,
    /// How many members
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(3..=9))]
    pub(crate) members: u16,
    /// On which disk the members keep their data [default: the folder for temporary files]
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// etcd members' --heartbeat-interval, in milliseconds
    #[arg(long, default_value_t = 100)]
    pub(crate) heartbeat_interval: u64,
    /// etcd members' --election-timeout, in milliseconds
    #[arg(long, default_value_t = 1000)]
    pub(crate) election_timeout: u64,
    /// ZooKeeper servers' tickTime, in milliseconds
    #[arg(long, default_value_t = 2000)]
    pub(crate) tick_time: u64,
    /// ZooKeeper servers' syncLimit, in ticks
    #[arg(long, default_value_t = 5)]
    pub(crate) sync_limit: u64,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Whose {
    /// This binary's etcd members
    Quorate,
    /// The Go etcd that `cargo xtask peers` fetched
    #[value(alias = "go")]
    Etcd,
    /// This binary's ZooKeeper servers
    QuorateZookeeper,
    /// The Java ZooKeeper 3.9.3 that `cargo xtask peers` fetched
    #[value(alias = "java")]
    Zookeeper,
}
