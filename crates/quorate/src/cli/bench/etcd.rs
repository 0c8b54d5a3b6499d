//! `quorate bench etcd`'s words.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What to do to the members.
#[derive(Subcommand)]
pub(crate) enum Load {
    /// Write keys
    #[command(after_help = "Example: quorate bench etcd put --clients 1000 --peer go")]
    Put(Requests),
    /// Read keys, one a request
    #[command(after_help = "Example: quorate bench etcd range --consistency serializable")]
    Range {
        #[command(flatten)]
        requests: Requests,
        /// Whether a quorum has to confirm that nothing newer is there
        #[arg(long, default_value = "linearizable")]
        consistency: Consistency,
    },
    /// Compare a key with what its client wrote last, and write it, in one transaction
    #[command(after_help = "Example: quorate bench etcd txn --clients 10")]
    Txn(Requests),
    /// Write keys that are watched, and see when the watchers are told
    #[command(after_help = "Examples:\n  quorate bench etcd watch --watchers 10000 --streams 100\n  \
                            quorate bench etcd watch --never-read     puts beside a watcher that never reads, and without it")]
    Watch(Watch),
    /// Grant leases, and keep them alive
    #[command(after_help = "Example: quorate bench etcd lease --leases 100000 --total 500000")]
    Lease(Lease),
    /// Do nothing, or have watchers that are told nothing
    #[command(after_help = "Example: quorate bench etcd idle --watchers 10000 --streams 100")]
    Idle(Idle),
    /// See what memory many keys take
    #[command(after_help = "Example: quorate bench etcd memory --keys 10000000")]
    Memory(Fill),
    /// See how long a member with many keys takes to start
    #[command(after_help = "Example, with a keyspace of 1 GiB: quorate bench etcd startup --keys 3835000")]
    Startup(Fill),
}

/// Whose members.
#[derive(Args, Clone, Debug)]
pub(crate) struct Servers {
    /// Members that run already, apart by commas [default: some are started for it]
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["peer", "members", "dir", "binary"])]
    pub(crate) endpoints: Vec<String>,
    /// Whose members to start
    #[arg(long, default_value = "quorate")]
    pub(crate) peer: Peer,
    /// The path of another binary
    #[arg(long)]
    pub(crate) binary: Option<PathBuf>,
    /// How many members to start [default: 3; 1 for memory and startup]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=9))]
    pub(crate) members: Option<u16>,
    /// Where they keep their data [default: the folder for temporary files]
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Peer {
    /// This binary's
    Quorate,
    /// The Go etcd 3.5.16 that `cargo xtask peers` fetched
    #[value(alias = "etcd")]
    Go,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Consistency {
    /// As of now, confirmed by a quorum
    #[value(alias = "l")]
    Linearizable,
    /// Whatever the member that answers has
    #[value(alias = "s")]
    Serializable,
}

/// Who asks, and what the keys are.
#[derive(Args, Clone, Debug)]
pub(crate) struct Clients {
    /// How many clients, each with one request under way
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) clients: u32,
    /// How many connections they share, spread over the members [default: one a client, and at most 100]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) connections: Option<u32>,
    /// Bytes a value
    #[arg(long, default_value_t = 256)]
    pub(crate) value_size: usize,
    /// Bytes a key
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(24..=4096))]
    pub(crate) key_size: u16,
    /// Leave the keys there
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Requests {
    #[command(flatten)]
    pub(crate) clients: Clients,
    /// How many requests in all
    #[arg(long, default_value_t = 100_000)]
    pub(crate) total: u64,
    /// How many different keys
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=9_999_999_999))]
    pub(crate) keys: u64,
    #[command(flatten)]
    pub(crate) servers: Servers,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Watch {
    /// How many watchers, each of one key
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) watchers: u32,
    /// How many streams they share
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) streams: u32,
    /// How many puts in all
    #[arg(long, default_value_t = 20_000)]
    pub(crate) total: u64,
    /// How many different keys are written and watched
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=9_999_999_999))]
    pub(crate) keys: u64,
    /// Instead: puts alone, and beside one watcher of everything at each member that never reads, in turn
    #[arg(long)]
    pub(crate) never_read: bool,
    #[command(flatten)]
    pub(crate) clients: Clients,
    #[command(flatten)]
    pub(crate) servers: Servers,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Lease {
    /// How many leases to grant
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) leases: u32,
    /// How many keep-alives in all
    #[arg(long, default_value_t = 100_000)]
    pub(crate) total: u64,
    /// How many clients, each with one request under way and a stream of keep-alives of its own
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) clients: u32,
    /// How many connections they share, spread over the members [default: one a client, and at most 100]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) connections: Option<u32>,
    #[command(flatten)]
    pub(crate) servers: Servers,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Idle {
    /// How long to look, in seconds
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
    /// How many watchers, each of a key that is never written
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    pub(crate) watchers: u32,
    /// How many streams they share
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) streams: u32,
    /// How many connections these share, spread over the members
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) connections: u32,
    #[command(flatten)]
    pub(crate) servers: Servers,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Fill {
    /// How many keys
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=9_999_999_999))]
    pub(crate) keys: u64,
    /// Bytes a value
    #[arg(long, default_value_t = 256)]
    pub(crate) value_size: usize,
    /// Bytes a key
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(24..=4096))]
    pub(crate) key_size: u16,
    /// How many keys are written in one transaction
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) batch: u16,
    #[command(flatten)]
    pub(crate) servers: Servers,
}
