//! `quorate bench etcd`: what etcd members can do, and what it costs them; ours and Go's by the same requests.

mod connection;
mod drive;
mod fill;
mod idle;
mod keys;
mod lease;
mod requests;
mod servers;
mod startup;
mod streams;
mod unread;
mod watch;

use crate::cli::etcd::Load;

pub(super) async fn measure(load: &Load) -> Result<String, String> {
    // Clients are tasks that share their counts without locks.
    let tasks = tokio::task::LocalSet::new();
    let measured = async {
        match load {
            Load::Put(options) => requests::measure(&requests::Kind::Put, options).await,
            Load::Range { requests, consistency } => requests::measure(&requests::Kind::Range(*consistency), requests).await,
            Load::Txn(options) => requests::measure(&requests::Kind::Txn, options).await,
            Load::Watch(options) if options.never_read => unread::measure(options).await,
            Load::Watch(options) => watch::measure(options).await,
            Load::Lease(options) => lease::measure(options).await,
            Load::Idle(options) => idle::measure(options).await,
            Load::Memory(options) => fill::measure(options).await,
            Load::Startup(options) => startup::measure(options).await,
        }
    };
    tasks.run_until(measured).await
}
