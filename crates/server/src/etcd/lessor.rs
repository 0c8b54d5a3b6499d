//! Signs of life for leases, and how long leases have left: only the leader knows, so it is asked, be it this member or another.
//!
//! ```text
//!   client ──▶ listen/lease ──▶ Lessor ──▶ this member leads:    a linearizable read ──▶ the machine's clocks
//!                                     └──▶ another member does:  POST /leases, /leases/internal (peer/lease)
//!   peer ────▶ peer/lease ────▶ Lessor::ask_here
//! ```
//!
//! Nothing of this goes through the log, but for one entry if a lease that was long silent is renewed: see [`Renewal::Renewed`].

use super::door::{Door, NoAnswer, Outcome, What};
use super::peer::{Transport, lease};
use super::status::{Board, Leadership};
use consensus::{NodeId, Position};
use keyspace::{Answer, Command, KeyspaceError, LeaseAnswer, LeaseCheckpoint, Query, Renewal, Response};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout_at};

/// How long to wait before the same is asked again, as in etcd.
const AGAIN: Duration = Duration::from_millis(50);
/// The same for a lease that has run out. It may take seconds until it is gone, and nobody else shall wait for that.
const AGAIN_EXPIRED: Duration = Duration::from_millis(250);
/// So many questions to the leader are on their way at a time: thousands of clients renew through one member, and the leader may be
/// far. Each takes a connection of its own.
const FORWARDED_MAX: usize = 64;

/// Asks about leases.
#[derive(Clone, Debug)]
pub(crate) struct Lessor {
    door: Door,
    board: Board,
    transport: Arc<Transport>,
    patience: Duration,
    forwarding: Arc<Semaphore>,
}

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Question {
    /// A sign of life.
    Renew {
        /// For which lease.
        id: i64,
    },
    /// How long it has left.
    Look {
        /// Which lease.
        id: i64,
        /// With its keys.
        keys: bool,
    },
}

/// What the leader says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    /// There is no such lease.
    NoLease,
    /// It lives for so many seconds from now on.
    Renewed(i64),
    /// It has run out, and is not gone yet; or whoever leads lags, and says so in the same words. To be asked again.
    Expired,
    /// It is like this; how long it has left is known.
    Lease(LeaseAnswer),
}

/// Why this member cannot say anything about a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotHere {
    /// It does not lead, or does not any more.
    NotLeader,
    /// The replica refused, or is gone.
    NoAnswer(NoAnswer),
}

/// Why nobody did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unknown {
    /// Nobody led.
    NoLeader,
    /// Whoever led did not answer in time.
    TimedOut,
    /// This member is stopping.
    Stopped,
}

impl Lessor {
    pub(crate) fn new(door: Door, board: Board, transport: Arc<Transport>, patience: Duration) -> Lessor {
        Lessor { door, board, transport, patience, forwarding: Arc::new(Semaphore::new(FORWARDED_MAX)) }
    }

    /// Asks whoever leads, again and again, and another as soon as another leads, until there is an answer or no more patience.
    pub(crate) async fn ask(&self, question: Question) -> Result<Word, Unknown> {
        let deadline = Instant::now() + self.patience;
        let mut leadership = self.board.leadership();
        loop {
            let Ok(known) = timeout_at(deadline, leadership.wait_for(|known| known.leader.is_some())).await else {
                return Err(Unknown::NoLeader);
            };
            let Ok(Some(leader)) = known.map(|known| known.leader) else { return Err(Unknown::Stopped) };
            let answered = tokio::select! {
                answered = timeout_at(deadline, self.ask_member(leader, question)) => answered.map_err(|_| Unknown::TimedOut)?,
                _ = led_by_another(&mut leadership, leader) => continue,
            };
            match answered {
                // As in etcd, whoever is too late hears of it when the lease is gone and not before.
                Ok(Word::Expired) => sleep(AGAIN_EXPIRED).await,
                Ok(word) => return Ok(word),
                Err(NotHere::NoAnswer(NoAnswer::Stopped)) => return Err(Unknown::Stopped),
                Err(_) => sleep(AGAIN).await,
            }
            if Instant::now() >= deadline {
                return Err(Unknown::TimedOut);
            }
        }
    }

    /// Asks this member, if it leads.
    pub(crate) async fn ask_here(&self, question: Question) -> Result<Word, NotHere> {
        match question {
            Question::Renew { id } => self.renew(id).await,
            Question::Look { id, keys } => self.look(id, keys).await,
        }
    }

    async fn ask_member(&self, leader: NodeId, question: Question) -> Result<Word, NotHere> {
        if leader == self.me() {
            return self.ask_here(question).await;
        }
        let peer = self.transport.peer(leader).ok_or(NotHere::NotLeader)?;
        let _turn = self.forwarding.acquire().await.expect("never closed");
        for url in peer.urls.all() {
            if let Some(word) = lease::ask(&self.transport.shared, url, question).await {
                return Ok(word);
            }
        }
        Err(NotHere::NotLeader)
    }

    async fn renew(&self, id: i64) -> Result<Word, NotHere> {
        let (position, renewal) = match self.read(Query::LeaseRenew { id }).await? {
            (_, Err(KeyspaceError::LeaseNotFound)) => return Ok(Word::NoLease),
            (position, Ok(Answer::LeaseRenewal(renewal))) => (position, renewal),
            _ => return Err(NotHere::NotLeader),
        };
        match renewal {
            Renewal::Renewed { ttl, checkpointed: false } => Ok(Word::Renewed(ttl)),
            Renewal::Renewed { ttl, checkpointed: true } => {
                let clear = Command::LeaseCheckpoint(vec![LeaseCheckpoint { id, remaining_ttl: 0 }]);
                // If it was applied in another term, another leader's clock may run already, and not from now on.
                match self.door.outcome(What::Write(clear)).await.map_err(NotHere::NoAnswer)? {
                    Outcome::Applied(applied, _) if applied.epoch == position.epoch => Ok(Word::Renewed(ttl)),
                    Outcome::Refused(refusal) => Err(NotHere::NoAnswer(NoAnswer::Refused(refusal))),
                    _ => Err(NotHere::NotLeader),
                }
            }
            Renewal::Expired => Ok(Word::Expired),
            Renewal::NotLeader => Err(NotHere::NotLeader),
        }
    }

    async fn look(&self, id: i64, keys: bool) -> Result<Word, NotHere> {
        match self.read(Query::Lease { id, keys }).await?.1 {
            Ok(Answer::Lease { lease: None, .. }) => Ok(Word::NoLease),
            Ok(Answer::Lease { lease: Some(lease), .. }) if lease.left.is_some() => Ok(Word::Lease(lease)),
            _ => Err(NotHere::NotLeader),
        }
    }

    /// Asks the machine here, once it is certain that this member still leads.
    async fn read(&self, query: Query) -> Result<(Position, Response), NotHere> {
        if self.board.status().leader != Some(self.me()) {
            return Err(NotHere::NotLeader);
        }
        match self.door.outcome(What::Read(query)).await.map_err(NotHere::NoAnswer)? {
            Outcome::Read(position, response) => Ok((position, response)),
            Outcome::Refused(refusal) => Err(NotHere::NoAnswer(NoAnswer::Refused(refusal))),
            _ => Err(NotHere::NotLeader),
        }
    }

    fn me(&self) -> NodeId {
        self.transport.shared.identity.me
    }
}

/// Returns when somebody else leads, or nobody.
async fn led_by_another(leadership: &mut watch::Receiver<Leadership>, leader: NodeId) {
    let _ = leadership.wait_for(|known| known.leader != Some(leader)).await;
}
