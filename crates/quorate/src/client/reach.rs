//! Reaching a cluster through whichever of its members answers.

use etcd::pb::etcdserverpb::maintenance_client::MaintenanceClient;
use etcd::pb::etcdserverpb::{StatusRequest, StatusResponse};
use std::fmt;
use std::time::{Duration, Instant};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// How long a member may take to accept a connection, and again to say how it is, before the next one is asked.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait before all members are asked again.
pub(super) const BREATH: Duration = Duration::from_millis(50);

/// A refusal that is over when the election is.
const NO_LEADER: &str = "etcdserver: no leader";

/// Answers may be large; etcd's client sets no bound either.
pub(super) const ANSWER_BYTES_MAX: usize = usize::MAX;

/// Whether asking twice does harm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// It does not.
    Read,
    /// It could be done twice.
    Write,
}

/// What went wrong, for whoever typed the command.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The command itself was wrong.
    Usage(String),
    /// No member could be asked, or none had an answer; each with its reason.
    Nobody(Vec<(String, String)>),
    /// A member refused, and any other would have, too.
    Refused {
        /// What it said.
        status: Status,
    },
    /// What had begun cannot go on.
    Ended(String),
    /// A member took the write and then there was no answer.
    Uncertain {
        /// Which.
        endpoint: String,
        /// What is known.
        why: String,
    },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Usage(sentence) | Trouble::Ended(sentence) => f.write_str(sentence),
            Trouble::Refused { status } => write!(f, "{}", status.message()),
            Trouble::Uncertain { endpoint, why } => {
                write!(
                    f,
                    "{endpoint} took the request and did not confirm it ({why}): it may have been done, and may not; look before you repeat it"
                )
            }
            Trouble::Nobody(attempts) => {
                write!(f, "no member answered")?;
                for (endpoint, why) in attempts {
                    write!(f, "\n  {endpoint}: {why}")?;
                }
                if attempts.iter().all(|(_, why)| why.starts_with(REFUSED)) {
                    write!(f, "\nis the cluster running? `quorate dev` starts one here; --endpoints names another")?;
                }
                Ok(())
            }
        }
    }
}

const REFUSED: &str = "nobody listens there";

/// A connection to a member.
pub(crate) async fn channel(url: &str, patience: Duration) -> Result<Channel, String> {
    connect(Endpoint::from_shared(url.to_owned()).map_err(|error| error.to_string())?, patience).await
}

/// A connection that may be silent for long, and notices if the member is gone without a word.
pub(super) async fn lasting_channel(url: &str, patience: Duration) -> Result<Channel, String> {
    // etcd's server ends connections that ask more often than every 5 s (embed.DefaultGRPCKeepAliveMinTime).
    let endpoint = Endpoint::from_shared(url.to_owned())
        .map_err(|error| error.to_string())?
        .http2_keep_alive_interval(Duration::from_secs(6))
        .keep_alive_timeout(Duration::from_secs(3))
        .keep_alive_while_idle(true);
    connect(endpoint, patience).await
}

async fn connect(endpoint: Endpoint, patience: Duration) -> Result<Channel, String> {
    let endpoint = endpoint.connect_timeout(patience);
    match tokio::time::timeout(patience, endpoint.connect()).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(cause(&error)),
        Err(_) => Err(format!("no connection within {} ms", patience.as_millis())),
    }
}

/// How a member is: asks nobody else.
pub(crate) async fn status_of(channel: &Channel, patience: Duration) -> Result<StatusResponse, String> {
    let mut client = MaintenanceClient::new(channel.clone());
    match tokio::time::timeout(patience, client.status(StatusRequest::default())).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(said(&status)),
        Err(_) => Err(format!("connected, but silent for {} ms", patience.as_millis())),
    }
}

/// Asks one member after the other, and all of them again while an election is on, until one has an answer.
pub(super) async fn ask<T, F>(urls: Vec<String>, kind: Kind, limit: Duration, question: F) -> Result<T, Trouble>
where
    F: AsyncFn(Channel) -> Result<T, Status>,
{
    let deadline = Instant::now() + limit;
    loop {
        let mut attempts: Vec<(String, String)> = Vec::new();
        let mut electing = false;
        for url in &urls {
            match ask_one(url, kind, deadline, &question).await {
                Ok(answer) => return Ok(answer),
                Err(Attempt::Final(trouble)) => return Err(trouble),
                Err(Attempt::NoLeader) => {
                    electing = true;
                    attempts.push((url.clone(), "it knows of no leader".to_owned()));
                }
                Err(Attempt::Failed(why)) => attempts.push((url.clone(), why)),
            }
        }
        if !electing || Instant::now() + BREATH >= deadline {
            return Err(Trouble::Nobody(attempts));
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// How one member's attempt ended, if not with an answer.
enum Attempt {
    /// There is no use in asking anybody else.
    Final(Trouble),
    /// It is there, but an election is on.
    NoLeader,
    /// The next member may know.
    Failed(String),
}

async fn ask_one<T, F>(url: &str, kind: Kind, deadline: Instant, question: &F) -> Result<T, Attempt>
where
    F: AsyncFn(Channel) -> Result<T, Status>,
{
    let left = || deadline.saturating_duration_since(Instant::now());
    // A member that hangs, or has no leader, is found out before it is trusted with the request.
    let channel = channel(url, PATIENCE.min(left())).await.map_err(Attempt::Failed)?;
    if status_of(&channel, PATIENCE.min(left())).await.map_err(Attempt::Failed)?.leader == 0 {
        return Err(Attempt::NoLeader);
    }
    let uncertain = |why: String| Err(Attempt::Final(Trouble::Uncertain { endpoint: url.to_owned(), why }));
    match tokio::time::timeout(left(), question(channel)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(status)) if !may_pass(&status) => Err(Attempt::Final(Trouble::Refused { status })),
        Ok(Err(status)) if kind == Kind::Write && !surely_not_done(&status) => uncertain(said(&status)),
        Ok(Err(status)) if status.message() == NO_LEADER => Err(Attempt::NoLeader),
        Ok(Err(status)) => Err(Attempt::Failed(said(&status))),
        Err(_) if kind == Kind::Write => uncertain("no answer in time".to_owned()),
        Err(_) => Err(Attempt::Failed("no answer in time".to_owned())),
    }
}

/// Whether another member, or the same one later, could say something else.
fn may_pass(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown | Code::ResourceExhausted
    )
}

/// Whether a member refused, and any other would, too.
pub(super) fn final_refusal(status: &Status) -> bool {
    !may_pass(status)
}

/// Refusals that come before a request is proposed.
fn surely_not_done(status: &Status) -> bool {
    [NO_LEADER, "etcdserver: too many requests", "etcdserver: server stopped"].contains(&status.message())
}

/// What a failed request is told to have failed of.
pub(super) fn said(status: &Status) -> String {
    match (status.message(), std::error::Error::source(status)) {
        // It was made on this side: the connection is lost.
        (_, Some(source)) => cause(source),
        ("", _) => format!("{:?}", status.code()),
        (message, _) => message.to_owned(),
    }
}

/// The innermost reason, in words.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
        Some(std::io::ErrorKind::ConnectionRefused) => format!("{REFUSED} (connection refused)"),
        _ => innermost.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusals_that_come_first_let_a_write_be_repeated() {
        assert!(surely_not_done(&Status::unavailable("etcdserver: no leader")));
        for message in ["etcdserver: request timed out", "etcdserver: leader changed", "transport error"] {
            assert!(!surely_not_done(&Status::unavailable(message)), "{message}");
        }
    }

    #[test]
    fn a_bad_request_is_not_asked_of_the_next_member() {
        assert!(!may_pass(&Status::invalid_argument("etcdserver: key is not provided")));
        assert!(!may_pass(&Status::unimplemented("no")));
        assert!(may_pass(&Status::unavailable("etcdserver: request timed out")));
    }

    #[tokio::test]
    async fn a_dead_cluster_is_said_to_be_dead() {
        // Port 1 of loopback: nobody listens there.
        let urls = vec!["http://127.0.0.1:1".to_owned()];
        let answer = ask(urls, Kind::Read, Duration::from_secs(2), async |_| Ok(())).await;
        let said = answer.expect_err("nobody is there").to_string();
        assert!(said.contains("http://127.0.0.1:1: nobody listens there") && said.contains("quorate dev"), "{said}");
    }
}
