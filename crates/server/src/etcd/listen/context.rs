//! What every answer to a client needs.

use super::super::config::Config;
use super::super::door::{Door, NoAnswer, What};
use super::super::lessor::Lessor;
use super::super::metrics::Metrics;
use super::super::quota::{self, Quota};
use super::super::status::Board;
use super::super::unsent::{Held, Unsent};
use super::super::watch::WatchDoor;
use super::metered::{Meter, Turn};
use consensus::{NodeId, Role};
use etcd::error::{ClientError, Known};
use etcd::kv::Header;
use keyspace::{Answer, KeyspaceError, Query};
use replica::Refusal;
use std::sync::Arc;
use tonic::Status;
use tonic::metadata::MetadataMap;

/// The client port's view of the member.
pub(crate) struct ClientPort {
    pub(super) config: Arc<Config>,
    pub(super) me: NodeId,
    cluster: u64,
    pub(super) door: Door,
    pub(super) watches: WatchDoor,
    pub(super) board: Board,
    pub(super) lessor: Lessor,
    pub(super) metrics: Arc<Metrics>,
    pub(super) meter: Meter,
    quota: Arc<Quota>,
}

/// What the client port turns to with what clients ask for.
pub(crate) struct Inside {
    pub(crate) door: Door,
    pub(crate) watches: WatchDoor,
    pub(crate) board: Board,
    pub(crate) lessor: Lessor,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) quota: Arc<Quota>,
    pub(crate) unsent: Unsent,
}

/// What a request asks for, as far as that decides who may answer it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Need {
    /// A member that votes.
    Voter,
    /// Any member.
    Anyone,
}

impl ClientPort {
    pub(crate) fn new(config: Arc<Config>, me: NodeId, cluster: u64, inside: Inside) -> ClientPort {
        let Inside { door, watches, board, lessor, metrics, quota, unsent } = inside;
        ClientPort { config, me, cluster, door, watches, board, lessor, metrics, meter: Meter::new(unsent), quota }
    }

    /// Whether there is room for so many bytes more; if not, the alarm is raised, too (etcd: quotaAlarmer).
    pub(super) async fn afford(&self, bytes: u64) -> Result<(), Status> {
        if self.quota.affords(bytes) {
            return Ok(());
        }
        quota::raise(&self.door, &self.quota, self.me).await;
        Err(refused(KeyspaceError::NoSpace))
    }

    /// Whether this member may answer a request with this metadata (etcd's unary interceptor).
    pub(super) fn admit(&self, metadata: &MetadataMap, need: Need) -> Result<(), Status> {
        self.admitted(metadata, need, "unary").map(drop)
    }

    /// Whether this member may serve a stream that was opened with this metadata, and whether its client wants it to end when there
    /// has been no leader for a while (etcd's stream interceptor).
    pub(super) fn admit_stream(&self, metadata: &MetadataMap) -> Result<bool, Status> {
        self.admitted(metadata, Need::Voter, "stream")
    }

    fn admitted(&self, metadata: &MetadataMap, need: Need, kind: &'static str) -> Result<bool, Status> {
        let status = self.board.status();
        if need == Need::Voter && matches!(status.role, Role::Learner { .. }) {
            return Err(known(Known::NotSupportedForLearner));
        }
        let said = |key| metadata.get(key).and_then(|value| value.to_str().ok());
        self.metrics.client_request(kind, said("client-api-version").unwrap_or("unknown"));
        let needs_leader = said("hasleader") == Some("true");
        if needs_leader && status.leader.is_none() {
            return Err(known(Known::NoLeader));
        }
        Ok(needs_leader)
    }

    /// The header of an answer that is given now.
    pub(super) fn header(&self) -> Header {
        Header { cluster_id: self.cluster, member_id: self.me.0, raft_term: self.board.status().epoch }
    }

    /// Asks the replica.
    pub(super) async fn ask(&self, what: What) -> Result<Answer, Status> {
        self.ask_for_much(what).await.map(|(answer, _)| answer)
    }

    /// The same; the answer counts for as long as what comes with it is held.
    pub(super) async fn ask_for_much(&self, what: What) -> Result<(Answer, Held), Status> {
        let read = matches!(what, What::Read(_) | What::ReadHere(_));
        match self.door.ask_for_much(what).await {
            Ok((Ok(answer), held)) => Ok((answer, held)),
            Ok((Err(error), _)) => Err(refused(error)),
            Err(why) => Err(no_answer(why, read)),
        }
    }

    /// The same as `read`; the answer counts for as long as what comes with it is held.
    pub(super) async fn read_much(&self, query: Query, here: bool) -> Result<(Answer, Held), Status> {
        self.ask_for_much(if here { What::ReadHere(query) } else { What::Read(query) }).await
    }

    /// Waits for the turn to make an answer: a large one in the state here, which a quorum has confirmed unless any state will do.
    /// The quorum comes first, since it may be long in coming, and whoever has the turn keeps others waiting.
    pub(super) async fn turn(&self, large: bool, here: bool) -> Result<Turn, Status> {
        if large && !here {
            self.confirm().await?;
        }
        self.meter.turn(large).await
    }

    /// Returns once a quorum has confirmed what is applied here: whatever is read here from now on is no older than the call.
    async fn confirm(&self) -> Result<(), Status> {
        self.ask(What::Read(Query::Status)).await.map(drop)
    }

    /// Asks the state that all agree on, or the one here.
    pub(super) async fn read(&self, query: Query, here: bool) -> Result<Answer, Status> {
        self.ask(if here { What::ReadHere(query) } else { What::Read(query) }).await
    }
}

/// What a client is told instead of an answer.
pub(super) fn no_answer(why: NoAnswer, read: bool) -> Status {
    known(match why {
        NoAnswer::Stopped => Known::Stopped,
        NoAnswer::Refused(refusal) => match refusal {
            Refusal::TooManyRequests => Known::TooManyRequests,
            // Nothing was changed by a read, so clients may ask again, and etcd's text tells them so.
            Refusal::LeaderChanged if read => Known::LeaderChanged,
            Refusal::LeaderChanged => Known::TimeoutDueToLeaderFail,
            Refusal::ConnectionLost => Known::TimeoutDueToConnectionLost,
            Refusal::TimedOut => Known::Timeout,
            Refusal::NotLeader => Known::NotLeader,
            Refusal::BadTransferee => Known::BadLeaderTransferee,
        },
    })
}

/// An error that etcd's clients know.
pub(super) fn known(known: Known) -> Status {
    ClientError::from(known).into()
}

/// An error of the state machine.
pub(super) fn refused(error: KeyspaceError) -> Status {
    ClientError::from(error).into()
}

/// The machine gave an answer of another kind than was asked for: a bug, which the client is told as such.
pub(super) fn mixed_up(answer: &Answer) -> Status {
    Status::internal(format!("quorate: an answer of another kind than was asked for: {answer:?}"))
}
