//! The command line, except for `quorate etcd`, whose flags are etcd's and stand in `member::flags`, and `quorate zookeeper`.

mod bench;
mod client;

pub(crate) use bench::{Bench, Failover, Whose, ZooKeeperBench, ZooKeeperLoad, ZooKeeperServer, etcd};
pub(crate) use client::{
    Client, Compact, Del, Get, Keys, Lease, LeaseId, Member, Order, OutputForm, Put, SortBy, Txn, Watch, lease_id,
};

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// One binary that replaces etcd and ZooKeeper.
#[derive(Parser)]
#[command(name = "quorate", version = crate::version(), max_term_width = 120, after_help = "Start here: quorate dev")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// A cluster on this machine, one process per member; shows who leads, Ctrl-C ends it
    Dev(Dev),
    /// One member, with etcd's own flags, ETCD_* variables and YAML file (see quorate etcd --help)
    #[command(disable_help_flag = true)]
    Etcd {
        /// etcd's flags
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        flags: Vec<String>,
    },
    /// One ZooKeeper server, with ZooKeeper's own zoo.cfg (see quorate zookeeper --help)
    #[command(disable_help_flag = true)]
    Zookeeper {
        /// zoo.cfg
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Read a key, or many
    Get(Get),
    /// Write a key
    Put(Put),
    /// Delete a key, or many
    Del(Del),
    /// Compare, and then do one thing or the other, all at once; read from standard input
    Txn(Txn),
    /// Print what happens to a key, or many, until it is stopped
    Watch(Watch),
    /// Leases: keys that go when nobody keeps them alive
    Lease {
        #[command(subcommand)]
        action: Lease,
    },
    /// Forget history up to a revision
    #[command(alias = "compaction")]
    Compact(Compact),
    /// Read and write a ZooKeeper tree
    Zk {
        #[command(flatten)]
        reach: crate::zk::Reach,
        #[command(subcommand)]
        action: crate::zk::Action,
    },
    /// How each member is
    Status(Client),
    /// Who is in the cluster
    Member {
        #[command(subcommand)]
        action: Member,
    },
    /// Run, replay and explain simulated clusters by seed
    Sim(Sim),
    /// Measure, ours or theirs
    Bench {
        #[command(subcommand)]
        action: Bench,
    },
    /// Prints the table of flags for COMPATIBILITY.md
    #[command(hide = true)]
    FlagTable,
    /// Prints the table of zoo.cfg's keys for COMPATIBILITY.md
    #[command(hide = true)]
    KeyTable,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Dev {
    /// A ZooKeeper ensemble instead of an etcd cluster
    #[arg(long)]
    pub(crate) zookeeper: bool,
    /// How many members
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=9))]
    pub(crate) members: u16,
    /// How many observers besides
    #[arg(long, default_value_t = 0, requires = "zookeeper", value_parser = clap::value_parser!(u16).range(0..=9))]
    pub(crate) observers: u16,
    /// The first member's client port; the next member's is 100 higher. etcd: each peer port is one above the client port. ZooKeeper:
    /// the quorum port is 707 above it and the election port 1707, so that 2181 goes with 2888 and 3888, and the AdminServer's port is
    /// one above it [default: 2379, or 2181]
    #[arg(long)]
    pub(crate) base_port: Option<u16>,
    /// Where the members keep their data [default: quorate-dev, or quorate-dev-zookeeper]
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// Delete what an earlier dev left there and start anew
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Leave a dead member dead
    #[arg(long)]
    pub(crate) no_restart: bool,
    /// One line of JSON when ready, and one for each change of role
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Sim {
    /// Which protocol: raft or zab [default: raft]
    #[arg(long)]
    pub(crate) protocol: Option<String>,
    /// What runs above it: map (a small map), etcd (raft; etcd's own keyspace in its data file, leases, watches and bytes), or zookeeper
    /// (zab; ZooKeeper's own tree, sessions and bytes)
    #[arg(long, default_value = "map", value_parser = ["map", "etcd", "zookeeper"])]
    pub(crate) stack: String,
    /// Many seeds: 1..2000 has both ends
    #[arg(long, value_name = "FROM..TO", conflicts_with = "seed")]
    pub(crate) seeds: Option<String>,
    /// One seed
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How many members that vote
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=48))]
    pub(crate) members: u8,
    /// How many more that only follow (zab)
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=16))]
    pub(crate) observers: u8,
    /// How long the chaos lasts, in simulated seconds
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u64,
    /// Print the run in plain words; the same seed prints the same
    #[arg(long, requires = "seed")]
    pub(crate) trace: bool,
    /// Switch mechanisms off, to see the harm: prevote, check-quorum, lease, early-election, lease-reads; zab: early-finalize
    #[arg(long, value_delimiter = ',')]
    pub(crate) off: Vec<String>,
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.trim_end_matches('s').parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn seconds_may_be_fractions() {
        assert_eq!(seconds("2.5s"), Ok(Duration::from_millis(2500)));
        assert!(seconds("soon").is_err() && seconds("-1").is_err());
    }
}
