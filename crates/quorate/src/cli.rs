//! The command line, except for `quorate etcd`, whose flags are etcd's and stand in `member::flags`, and `quorate zookeeper`.

use clap::{Args, Parser, Subcommand, ValueEnum};
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

/// How to reach a cluster and how to print.
#[derive(Args, Clone, Debug)]
pub(crate) struct Client {
    /// Members to ask, apart by commas [default: those of a running `quorate dev`, else 127.0.0.1:2379]
    #[arg(long, value_delimiter = ',', env = "ETCDCTL_ENDPOINTS")]
    pub(crate) endpoints: Vec<String>,
    /// How to print
    #[arg(short = 'w', long = "write-out")]
    pub(crate) output: Option<OutputForm>,
    /// How long to try, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "8", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum OutputForm {
    /// As etcdctl's: bare keys and values
    Simple,
    /// For people
    Table,
    /// As etcdctl's: keys and values in base64
    Json,
}

/// A key, or a range of keys.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Keys {
    /// The key, or where the range begins
    pub(crate) key: String,
    /// Where the range ends (not part of it)
    pub(crate) range_end: Option<String>,
    /// All keys that begin with KEY
    #[arg(long, conflicts_with_all = ["range_end", "from_key"])]
    pub(crate) prefix: bool,
    /// All keys from KEY on
    #[arg(long, conflicts_with = "range_end")]
    pub(crate) from_key: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Get {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// At most so many keys; 0: all
    #[arg(long, default_value_t = 0)]
    pub(crate) limit: i64,
    /// As of this revision; 0: now
    #[arg(long, default_value_t = 0)]
    pub(crate) rev: i64,
    /// Keys without their values
    #[arg(long, conflicts_with = "print_value_only")]
    pub(crate) keys_only: bool,
    /// How many keys there are, and nothing else
    #[arg(long)]
    pub(crate) count_only: bool,
    /// Values without their keys
    #[arg(long)]
    pub(crate) print_value_only: bool,
    /// In which order
    #[arg(long)]
    pub(crate) order: Option<Order>,
    /// By what
    #[arg(long)]
    pub(crate) sort_by: Option<SortBy>,
    /// l: as of now, confirmed by a quorum; s: whatever the member that answers has
    #[arg(long, default_value = "l", value_parser = ["l", "s"])]
    pub(crate) consistency: String,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Order {
    #[value(alias = "ASCEND")]
    Ascend,
    #[value(alias = "DESCEND")]
    Descend,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum SortBy {
    #[value(alias = "KEY")]
    Key,
    #[value(alias = "VERSION")]
    Version,
    #[value(alias = "CREATE")]
    Create,
    #[value(alias = "MODIFY")]
    Modify,
    #[value(alias = "VALUE")]
    Value,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Put {
    /// The key
    pub(crate) key: String,
    /// Its value; read from standard input if absent
    pub(crate) value: Option<String>,
    /// Print what the key held before
    #[arg(long)]
    pub(crate) prev_kv: bool,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Del {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// Print what was deleted
    #[arg(long)]
    pub(crate) prev_kv: bool,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Subcommand)]
pub(crate) enum Member {
    /// Lists the members
    List(Client),
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
    /// What runs above it: map (a small map), or zookeeper (zab; ZooKeeper's own tree, sessions and bytes)
    #[arg(long, default_value = "map", value_parser = ["map", "zookeeper"])]
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

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// How long the cluster takes no writes when its leader dies
    Failover(Failover),
    /// How much ZooKeeper servers can do, and what it costs them
    Zookeeper(ZooKeeperBench),
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
    Quorate,
    /// The Java ZooKeeper 3.9.3 that `cargo xtask peers` fetched
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
    Etcd,
    /// This binary's ZooKeeper servers
    QuorateZookeeper,
    /// The Java ZooKeeper 3.9.3 that `cargo xtask peers` fetched
    Zookeeper,
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
