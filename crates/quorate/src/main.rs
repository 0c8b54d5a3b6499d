//! The binary. What it does is chosen by its first word, or by the name under which it is called:
//!
//! ```text
//!   quorate etcd …   or a link called etcd     one member, configured as etcd is          member
//!   quorate zookeeper … or a link called zookeeper or zkServer
//!                                              one server, configured as ZooKeeper is    zookeeper
//!   quorate dev                                a cluster of three on this machine         dev
//!   quorate get, put, del, watch, lease, …      a small client                             client
//!   quorate zk                                 a small client for ZooKeeper               zk
//!   quorate sim, bench                         simulated clusters; measurements           sim, bench
//! ```

#![forbid(unsafe_code)]

mod bench;
mod cli;
mod client;
mod dev;
mod logging;
mod member;
mod processes;
mod signals;
mod simulate;
mod zk;
mod zookeeper;

use clap::Parser;
use cli::{Cli, Command};
use std::path::Path;
use std::process::ExitCode;

/// Messages from many clients are small and die young; glibc's allocator keeps their memory and its locks (measured by others, too).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // What is no text is no flag either, and is refused as one.
    let arguments: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let called = arguments.first().and_then(|path| Path::new(path).file_name()).and_then(|name| name.to_str());
    match (called, arguments.get(1).map(String::as_str)) {
        // A drop-in: linked under etcd's name, the binary takes etcd's flags and nothing else.
        (Some("etcd"), _) => member::run(&arguments[1..]),
        (_, Some("etcd")) => member::run(&arguments[2..]),
        (Some("zookeeper"), _) => zookeeper::run(&arguments[1..]),
        (Some("zkServer" | "zkServer.sh"), _) => zookeeper::run_script(&arguments[1..]),
        (_, Some("zookeeper")) => zookeeper::run(&arguments[2..]),
        (_, Some(processes::LEASHED)) => processes::become_leashed(&arguments[2..]),
        _ => command(Cli::parse().command),
    }
}

fn command(command: Command) -> ExitCode {
    match command {
        Command::Etcd { .. } | Command::Zookeeper { .. } => unreachable!("main has taken it"),
        Command::Dev(options) => dev::run(&options),
        Command::Get(options) => client::run(client::Action::Get(options)),
        Command::Put(options) => client::run(client::Action::Put(options)),
        Command::Del(options) => client::run(client::Action::Del(options)),
        Command::Txn(options) => client::run(client::Action::Txn(options)),
        Command::Watch(options) => client::run(client::Action::Watch(options)),
        Command::Lease { action } => client::run(client::Action::Lease(action)),
        Command::Compact(options) => client::run(client::Action::Compact(options)),
        Command::Zk { reach, action } => zk::run(&reach, &action),
        Command::Status(options) => client::run(client::Action::Status(options)),
        Command::Member { action: cli::Member::List(options) } => client::run(client::Action::Members(options)),
        Command::Sim(options) => simulate::run(&options),
        Command::Bench { action: cli::Bench::Failover(options) } => bench::failover(&options),
        Command::Bench { action: cli::Bench::Zookeeper(options) } => bench::zookeeper(&options),
        Command::Bench { action: cli::Bench::Etcd { load } } => bench::etcd(&load),
        Command::FlagTable => {
            print!("{}", member::flag_table());
            ExitCode::SUCCESS
        }
        Command::KeyTable => {
            print!("{}", zookeeper::key_table());
            ExitCode::SUCCESS
        }
    }
}

/// The ZooKeeper that its servers answer for, as `srvr` says it.
const ZOOKEEPER: &str = "3.9.3";

/// Which version this is, and which originals' it speaks for.
fn version() -> String {
    format!("{} (answers for etcd {} and ZooKeeper {ZOOKEEPER})", env!("CARGO_PKG_VERSION"), etcd::version::SERVER)
}
