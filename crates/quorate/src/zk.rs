//! `quorate zk`: a small ZooKeeper client.

mod actions;
mod connection;
mod options;
mod show;
mod status;

pub(crate) use connection::{Connection, Session, Trouble};
pub(crate) use options::{Action, Reach};
pub(crate) use status::srvr;

use crate::client::{Kind, dev_endpoints};
use bytes::Bytes;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use zookeeper::client::ClientRequest;
use zookeeper::opcode;

/// Where a server listens if nothing else is known.
const DEFAULT: &str = "127.0.0.1:2181";
/// The session's time-out: a client that is killed is forgotten soon.
const SESSION: Duration = Duration::from_secs(10);
/// How long to wait before the servers are tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// Does it, and says plainly what went wrong.
pub(crate) fn run(reach: &Reach, action: &Action) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(attempt(reach, action)),
        Err(error) => Err(format!("cannot start: {error}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("quorate zk: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn attempt(reach: &Reach, action: &Action) -> Result<(), String> {
    // Servers that serve nobody can still be asked how they are.
    if matches!(action, Action::Status) {
        return status::status(&servers(reach), reach).await;
    }
    let mut connection = connect(reach).await?;
    let done = match action {
        // Whoever watches waits as long as it takes.
        Action::Watch { path, recursive } => actions::watch(&mut connection, reach, path, *recursive).await,
        other => match tokio::time::timeout(reach.timeout, actions::perform(&mut connection, reach, other)).await {
            Ok(done) => done,
            Err(_) => Err(actions::Failure::Told(format!("no answer within {} s", reach.timeout.as_secs_f64()))),
        },
    };
    let ended = done.map_err(|failure| failure.sentence());
    if ended.is_ok() {
        connection.close().await;
    }
    ended
}

/// A session with the first server that gives one; they are tried in turn until the time is over.
async fn connect(reach: &Reach) -> Result<Connection, String> {
    let servers = servers(reach);
    let deadline = Instant::now() + reach.timeout;
    let mut last = String::new();
    loop {
        for server in &servers {
            let left = deadline.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, open(server, reach)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(Trouble::Refused(code))) => return Err(show::error(code).to_owned()),
                Ok(Err(Trouble::Connection(why))) => last = why,
                Err(_) if last.is_empty() => last = format!("{server}: no answer"),
                Err(_) => {}
            }
        }
        if Instant::now() + PAUSE >= deadline {
            return Err(format!(
                "no server serves within {} s; the last that was tried says: {last}\n\
                 is the ensemble running? `quorate dev --zookeeper` starts one here; --servers names another",
                reach.timeout.as_secs_f64()
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn open(server: &str, reach: &Reach) -> Result<Connection, Trouble> {
    let mut connection = Connection::open(server, SESSION).await?;
    if let Some(digest) = &reach.digest {
        let auth = Bytes::copy_from_slice(digest.as_bytes());
        connection.request(opcode::AUTH, ClientRequest::Auth { scheme: "digest".to_owned(), auth }).await?;
    }
    Ok(connection)
}

fn servers(reach: &Reach) -> Vec<String> {
    if !reach.servers.is_empty() {
        return reach.servers.clone();
    }
    dev_endpoints(Kind::Zookeeper).unwrap_or_else(|| vec![DEFAULT.to_owned()])
}
