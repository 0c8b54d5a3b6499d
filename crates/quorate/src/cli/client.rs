//! The small client's words.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use std::time::Duration;

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
    #[arg(long, value_name = "SECONDS", default_value = "8", value_parser = super::seconds)]
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
#[command(after_help = "Example: quorate get --prefix users/ -w table")]
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
#[command(after_help = "Example: quorate put lock/a holder-1 --lease 694d9f2a81c0b313")]
pub(crate) struct Put {
    /// The key
    pub(crate) key: String,
    /// Its value; read from standard input if absent
    #[arg(conflicts_with = "ignore_value")]
    pub(crate) value: Option<String>,
    /// The lease, in hexadecimal, with which the key goes; 0: none
    #[arg(long, value_name = "ID", default_value = "0", hide_default_value = true, value_parser = lease_id)]
    pub(crate) lease: i64,
    /// Print what the key held before
    #[arg(long)]
    pub(crate) prev_kv: bool,
    /// Leave the value as it is
    #[arg(long)]
    pub(crate) ignore_value: bool,
    /// Leave the lease as it is
    #[arg(long, conflicts_with = "lease")]
    pub(crate) ignore_lease: bool,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: quorate del --prefix users/")]
pub(crate) struct Del {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// Print what was deleted
    #[arg(long)]
    pub(crate) prev_kv: bool,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Three parts, with an empty line between them: what has to hold; what is then done; what is done otherwise.\n\n\
                        Example: printf 'mod(\"k\") = \"0\"\\n\\nput k first\\n\\nget k\\n' | quorate txn"
)]
pub(crate) struct Txn {
    #[command(flatten)]
    pub(crate) client: Client,
}

/// What to watch, and from when.
#[derive(Args, Clone, Debug)]
#[command(
    group = ArgGroup::new("kinds"),
    after_help = "When the member goes away, the watch goes on at another one, without losing or repeating an event.\n\n\
                  Example: quorate watch --prefix users/ --rev 1 -w table"
)]
pub(crate) struct Watch {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// From this revision on; 0: from now on
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) rev: i64,
    /// Print what the key held before, too
    #[arg(long)]
    pub(crate) prev_kv: bool,
    /// Be told now and then how far the member is, when nothing happens
    #[arg(long)]
    pub(crate) progress_notify: bool,
    /// Only what is put
    #[arg(long, group = "kinds")]
    pub(crate) puts_only: bool,
    /// Only what is deleted
    #[arg(long, group = "kinds")]
    pub(crate) deletes_only: bool,
    /// End when so many events have been printed
    #[arg(long, value_name = "EVENTS")]
    pub(crate) limit: Option<u64>,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Subcommand)]
pub(crate) enum Lease {
    /// Makes a lease, which ends if nobody keeps it alive, and prints its id
    #[command(after_help = "Example: quorate lease grant 30")]
    Grant {
        /// How long it lives, in seconds
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        ttl: i64,
        #[command(flatten)]
        client: Client,
    },
    /// Ends a lease and deletes its keys
    #[command(after_help = "Example: quorate lease revoke 694d9f2a81c0b313")]
    Revoke {
        #[command(flatten)]
        lease: LeaseId,
        #[command(flatten)]
        client: Client,
    },
    /// Renews a lease every third of its time, until it is stopped or the lease has ended
    #[command(after_help = "Example: quorate lease keep-alive 694d9f2a81c0b313")]
    KeepAlive {
        #[command(flatten)]
        lease: LeaseId,
        /// Once only
        #[arg(long)]
        once: bool,
        #[command(flatten)]
        client: Client,
    },
    /// How long a lease still lives
    #[command(alias = "timetolive", after_help = "Example: quorate lease ttl 694d9f2a81c0b313 --keys")]
    Ttl {
        #[command(flatten)]
        lease: LeaseId,
        /// And which keys go with it
        #[arg(long)]
        keys: bool,
        #[command(flatten)]
        client: Client,
    },
    /// The ids of all leases
    #[command(after_help = "Example: quorate lease list")]
    List(Client),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct LeaseId {
    /// The lease, in hexadecimal
    #[arg(value_name = "ID", value_parser = lease_id)]
    pub(crate) id: i64,
}

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: quorate compact 1000")]
pub(crate) struct Compact {
    /// What was current at this revision stays readable; what was replaced before it does not
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) revision: i64,
    /// Wait until the room is free, too
    #[arg(long)]
    pub(crate) physical: bool,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Subcommand)]
pub(crate) enum Member {
    /// Lists the members
    List(Client),
}

/// As etcdctl takes and prints them.
pub(crate) fn lease_id(text: &str) -> Result<i64, String> {
    i64::from_str_radix(text.trim_start_matches("0x"), 16)
        .map_err(|_| "a lease's id is a hexadecimal number, as `quorate lease list` prints it".to_owned())
}
