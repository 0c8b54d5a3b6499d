//! What Raft members say to each other: etcd's raftpb.Message, with what cannot be said wrongly left out.

use alloc::vec::Vec;
use bytes::Bytes;
use consensus::{Entry, EntryKind, NodeId, Position, Snapshot};

/// A message. Sender and receiver travel outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The sender's term; for a pre-vote request the term it would stand in; for a granted pre-vote the request's term. 0 in
    /// `Propose`, `ReadIndex` and `TransferLeadership` from etcd, whose senders speak beside the terms.
    pub term: u64,
    /// What it says.
    pub body: Body,
}

/// What a message says. In parentheses: etcd's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Would you vote for me in this term? Changes nobody's term or vote (MsgPreVote; thesis §9.6).
    RequestPreVote {
        /// The end of the sender's log.
        last: Position,
    },
    /// The answer (MsgPreVoteResp).
    PreVote {
        /// Yes or no.
        granted: bool,
    },
    /// Vote for me in this term (MsgVote; §5.2).
    RequestVote {
        /// The end of the sender's log.
        last: Position,
        /// The sender stands because the leader told it to, so leases do not bind (context `CampaignTransfer`; thesis §3.10).
        transfer: bool,
    },
    /// The answer (MsgVoteResp).
    Vote {
        /// Yes or no.
        granted: bool,
    },
    /// Entries that follow `previous` (MsgApp; §5.3).
    Append {
        /// What the sender's log holds just before them.
        previous: Position,
        /// A run without gaps; empty to probe or to tell the commit index.
        entries: Vec<Entry>,
        /// The sender's commit index.
        commit: u64,
    },
    /// The log holds everything up to `upto` (MsgAppResp). With `upto` 0 it says nothing but the sender's term.
    Appended {
        /// Index of the last entry known to match the leader's.
        upto: u64,
    },
    /// The log has no entry that matches `previous` (MsgAppResp, reject).
    Refused {
        /// Index of the `previous` that was refused.
        previous: u64,
        /// The end of what may match: the sender's last entry at or before `previous.index` whose term is at most `previous.epoch`.
        hint: Position,
    },
    /// I lead (MsgHeartbeat).
    Heartbeat {
        /// Committed, and matched by the receiver.
        commit: u64,
        /// Echoed in the answer; identifies a ReadIndex round.
        context: Bytes,
    },
    /// The answer (MsgHeartbeatResp).
    HeartbeatAck {
        /// From the heartbeat.
        context: Bytes,
    },
    /// A snapshot comes, its bytes beside this message (MsgSnap; §7).
    InstallSnapshot {
        /// What it stands for.
        snapshot: Snapshot,
    },
    /// A follower's clients want these in the log (MsgProp).
    Propose {
        /// The entries' data.
        proposals: Vec<(EntryKind, Bytes)>,
    },
    /// Tell me the commit index, once you know that you still lead (MsgReadIndex; thesis §6.4).
    ReadIndex {
        /// Chosen by the asker; unique for each attempt.
        context: Bytes,
    },
    /// The answer (MsgReadIndexResp).
    ReadIndexReady {
        /// From the question.
        context: Bytes,
        /// Read once this is applied.
        index: u64,
    },
    /// Hand leadership to `to` (MsgTransferLeader).
    TransferLeadership {
        /// The member that is to lead.
        to: NodeId,
    },
    /// Stand at once (MsgTimeoutNow; thesis §3.10).
    TimeoutNow,
}
