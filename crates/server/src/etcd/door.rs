//! How clients' requests reach the replica, and answers come back.
//!
//! The queue has no bound of its own: the replica empties it, a batch each time that it runs, on the same thread as the connections
//! that fill it, and refuses what is over its own bounds.

use super::unsent::Held;
use super::view::{MembershipView, Soon};
use consensus::{NodeId, Position};
use keyspace::{Answer, Command, HashKv, KeyspaceError, MembersAnswer, Query, Response};
use replica::Refusal;
use tokio::sync::{mpsc, oneshot};

/// What a request came to: where it was answered, and what.
pub(crate) type Outcome = replica::Answer<Response>;

/// The answer to whoever waited until something was done here, with what was applied by then.
pub(crate) fn done(applied: Position) -> Outcome {
    Outcome::Read(applied, Ok(Answer::Done))
}

/// A request with the way back.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) what: What,
    pub(crate) answer: oneshot::Sender<Outcome>,
    /// Where it is counted what the answer takes.
    pub(crate) held: Held,
}

/// A request.
#[derive(Debug)]
pub(crate) enum What {
    /// For the log.
    Write(Command),
    /// Of the state that all agree on.
    Read(Query),
    /// Of the state here.
    ReadHere(Query),
    /// Hand leadership over.
    Transfer(Option<NodeId>),
    /// Bring the data file up to what is applied; answered, with nothing, once it is.
    Settle,
    /// Say when nothing is left here of what compactions made unreadable, in memory and in the data file.
    Swept,
    /// The checksum of everything here, as etcd's Hash has it.
    HashAll,
    /// The checksum of the history here up to a revision (0: now), as HashKV has it. It may take long; nobody else waits for it.
    Hash(i64),
}

/// Why the door gave no answer of the machine's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoAnswer {
    /// The replica refused.
    Refused(Refusal),
    /// The member is stopping.
    Stopped,
}

/// The door to the replica.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    asks: mpsc::UnboundedSender<Ask>,
}

impl Door {
    pub(crate) fn new(asks: mpsc::UnboundedSender<Ask>) -> Door {
        Door { asks }
    }

    /// Asks, and waits for the answer of the machine. The replica sees to it that one comes in time.
    pub(crate) async fn ask(&self, what: What) -> Result<Response, NoAnswer> {
        self.ask_for_much(what).await.map(|(response, _)| response)
    }

    /// The same; the answer counts for as long as what comes with it is held.
    pub(crate) async fn ask_for_much(&self, what: What) -> Result<(Response, Held), NoAnswer> {
        let held = Held::default();
        match self.held_outcome(what, held.clone()).await? {
            Outcome::Applied(_, response) | Outcome::Read(_, response) => Ok((response, held)),
            Outcome::Refused(refusal) => Err(NoAnswer::Refused(refusal)),
            Outcome::Transferred => Err(NoAnswer::Stopped),
        }
    }

    /// Asks for the hand-over of leadership.
    pub(crate) async fn transfer(&self, to: Option<NodeId>) -> Result<(), NoAnswer> {
        match self.outcome(What::Transfer(to)).await? {
            Outcome::Refused(refusal) => Err(NoAnswer::Refused(refusal)),
            _ => Ok(()),
        }
    }

    /// Returns when nothing is left here of what compactions made unreadable.
    pub(crate) async fn swept(&self) {
        let _ = self.outcome(What::Swept).await;
    }

    /// Brings the data file up to what is applied.
    pub(crate) async fn settle(&self) {
        let _ = self.outcome(What::Settle).await;
    }

    /// Where the machine stands here.
    pub(crate) async fn machine_status(&self) -> Option<keyspace::Status> {
        match self.ask(What::ReadHere(Query::Status)).await {
            Ok(Ok(Answer::Status(status))) => Some(status),
            _ => None,
        }
    }

    /// The checksum of the history here up to a revision; 0: now.
    pub(crate) async fn hash_kv(&self, revision: i64) -> Option<Result<HashKv, KeyspaceError>> {
        match self.ask(What::Hash(revision)).await {
            Ok(Ok(Answer::HashKv(hash))) => Some(Ok(hash)),
            Ok(Err(error)) => Some(Err(error)),
            _ => None,
        }
    }

    async fn listed(&self, what: What) -> Option<MembersAnswer> {
        match self.ask(what).await {
            Ok(Ok(Answer::Members(members))) => Some(members),
            _ => None,
        }
    }

    /// Asks, and waits for what comes of it.
    pub(crate) async fn outcome(&self, what: What) -> Result<Outcome, NoAnswer> {
        self.held_outcome(what, Held::default()).await
    }

    async fn held_outcome(&self, what: What, held: Held) -> Result<Outcome, NoAnswer> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask { what, answer, held }).map_err(|_| NoAnswer::Stopped)?;
        answered.await.map_err(|_| NoAnswer::Stopped)
    }
}

impl MembershipView for Door {
    fn members(&self) -> Soon<'_, Option<MembersAnswer>> {
        Box::pin(self.listed(What::ReadHere(Query::Members)))
    }

    fn agreed_members(&self) -> Soon<'_, Option<MembersAnswer>> {
        Box::pin(self.listed(What::Read(Query::Members)))
    }

    fn cluster_version(&self) -> Soon<'_, Option<String>> {
        Box::pin(async { self.machine_status().await?.cluster_version })
    }

    fn hash_kv(&self, revision: i64) -> Soon<'_, Option<Result<HashKv, KeyspaceError>>> {
        Box::pin(self.hash_kv(revision))
    }
}
