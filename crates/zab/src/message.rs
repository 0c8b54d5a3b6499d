//! What ZooKeeper's servers say to each other. Field names follow the wire (`crates/zookeeper` encodes them).

use crate::Vote;
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::{Entry, Link, Position, SessionNote};

/// A message over one of the two links between two servers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// Over the election port (3888).
    Notification(Notification),
    /// Over the quorum port (2888), between a leader and its learner.
    Packet(Packet),
}

impl Message {
    /// The link that it travels over.
    pub fn link(&self) -> Link {
        match self {
            Message::Notification(_) => Link::Election,
            Message::Packet(_) => Link::Quorum,
        }
    }
}

/// What a server thinks of the election.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notification {
    /// What the sender is doing.
    pub state: State,
    /// Whom it votes for.
    pub vote: Vote,
    /// Its logical clock ("electionEpoch" on the wire).
    pub round: i64,
}

/// What a server is doing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    /// It looks for a leader.
    Looking,
    /// It follows one.
    Following,
    /// It leads.
    Leading,
    /// It follows one and is never counted.
    Observing,
}

/// What a leader and its learner say to each other, in order, over a link that is lost as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Packet {
    /// A learner's first word: FOLLOWERINFO, OBSERVERINFO.
    LearnerInfo {
        /// Its acceptedEpoch.
        accepted: u64,
        /// It is an observer.
        observer: bool,
        /// The version of its configuration.
        config_version: u64,
    },
    /// The leader's new epoch: LEADERINFO.
    LeaderInfo {
        /// The epoch.
        epoch: u64,
    },
    /// The learner promised it: ACKEPOCH.
    AckEpoch {
        /// Its currentEpoch; `None` (−1 on the wire) if it had promised that epoch before.
        current: Option<u64>,
        /// The last position in its log. `None`: a database that it does not trust (−1).
        last: Option<Position>,
    },
    /// What follows continues the learner's log: DIFF.
    Diff {
        /// Where the leader's committed log ends.
        upto: Position,
    },
    /// The learner's log is to be cut after this, then what follows continues it: TRUNC.
    Truncate {
        /// The last position to keep.
        to: Position,
    },
    /// A snapshot takes the place of the learner's data, then what follows continues it: SNAP. Its bytes follow on the wire; the
    /// core sees it in `Output::SendSnapshot` and `Input::SnapshotArrived`.
    Snapshot {
        /// What it stands for.
        position: Position,
    },
    /// The leader's history was sent: NEWLEADER.
    NewLeader {
        /// The leader's epoch.
        epoch: u64,
    },
    /// A quorum has that history: serve. UPTODATE.
    UpToDate,
    /// The learner's log holds everything up to here: ACK. Position (epoch, 0) acknowledges NEWLEADER, and UPTODATE.
    Ack {
        /// The last position synced.
        position: Position,
    },
    /// A transaction to log: PROPOSAL. `entry.data` is the transaction with its header, byte for byte as in the log.
    Proposal {
        /// The transaction.
        entry: Entry,
    },
    /// A quorum has logged it: COMMIT.
    Commit {
        /// The transaction.
        position: Position,
    },
    /// A committed transaction, for an observer: INFORM.
    Inform {
        /// The transaction.
        entry: Entry,
    },
    /// The leader lives; the learner's answer says that it does: PING.
    Ping {
        /// The leader's last proposal; the answer repeats it.
        last: Position,
        /// In the answer: the sessions heard from since the last one, with their time-outs in milliseconds.
        touched: Vec<(i64, i32)>,
    },
    /// Does this session live, and the answer: REVALIDATE. `SessionNote::Touched` never travels this way.
    Revalidate(SessionNote),
    /// A client's write, for the leader to propose: REQUEST. The packet's bytes as `Codec::encode_request` made them.
    Request(Bytes),
    /// The learner wants to know when everything proposed so far is committed: REQUEST of type sync.
    SyncRequest,
    /// It is: SYNC, in the order of the requests.
    Sync,
    /// A reconfiguration is committed (COMMITANDACTIVATE, INFORMANDACTIVATE), which this version cannot take part in.
    Activate {
        /// The transaction.
        position: Position,
    },
}
