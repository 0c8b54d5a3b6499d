//! ZooKeeper's messages in plain words, under ZooKeeper's names.

use crate::words::{command, entries};
use core::slice;
use zab::{Message, Notification, Packet, State, Vote};

/// The message's name, by which scripts select it.
pub(super) fn name(message: &Message) -> &'static str {
    let packet = match message {
        Message::Notification(_) => return "Notification",
        Message::Packet(packet) => packet,
    };
    match packet {
        Packet::LearnerInfo { observer: false, .. } => "FOLLOWERINFO",
        Packet::LearnerInfo { observer: true, .. } => "OBSERVERINFO",
        Packet::LeaderInfo { .. } => "LEADERINFO",
        Packet::AckEpoch { .. } => "ACKEPOCH",
        Packet::Diff { .. } => "DIFF",
        Packet::Truncate { .. } => "TRUNC",
        Packet::Snapshot { .. } => "SNAP",
        Packet::NewLeader { .. } => "NEWLEADER",
        Packet::UpToDate => "UPTODATE",
        Packet::Ack { .. } => "ACK",
        Packet::Proposal { .. } => "PROPOSAL",
        Packet::Commit { .. } => "COMMIT",
        Packet::Inform { .. } => "INFORM",
        Packet::Ping { .. } => "PING",
        Packet::Revalidate(_) => "REVALIDATE",
        Packet::Request(_) => "REQUEST",
        Packet::SyncRequest => "REQUEST(sync)",
        Packet::Sync => "SYNC",
        Packet::Activate { .. } => "COMMITANDACTIVATE",
    }
}

/// The message in plain words, its name first.
pub(super) fn tell(message: &Message) -> String {
    let rest = match message {
        Message::Notification(notification) => return tell_notification(notification),
        Message::Packet(Packet::LearnerInfo { accepted, .. }) => format!(" accepted epoch {accepted}"),
        Message::Packet(Packet::LeaderInfo { epoch } | Packet::NewLeader { epoch }) => format!(" epoch {epoch}"),
        Message::Packet(Packet::AckEpoch { current, last }) => {
            let current = current.map_or("promised before".into(), |current| format!("current epoch {current}"));
            format!(" {current}, log ends {}", last.map_or("nowhere".into(), |last| last.to_string()))
        }
        Message::Packet(Packet::Diff { upto }) => format!(" up to {upto}"),
        Message::Packet(Packet::Truncate { to }) => format!(" after {to}"),
        Message::Packet(Packet::Snapshot { position }) => format!(" of {position}"),
        Message::Packet(Packet::Ack { position } | Packet::Commit { position } | Packet::Activate { position }) => {
            format!(" {position}")
        }
        Message::Packet(Packet::Proposal { entry } | Packet::Inform { entry }) => format!(" {}", entries(slice::from_ref(entry))),
        Message::Packet(Packet::Request(data)) => format!(" {}", command(data)),
        Message::Packet(Packet::Ping { .. } | Packet::UpToDate | Packet::Revalidate(_) | Packet::SyncRequest | Packet::Sync) => {
            String::new()
        }
    };
    format!("{}{rest}", name(message))
}

/// "Notification LOOKING, round 1: vote for 2 (epoch 0, zxid 0x1)".
fn tell_notification(notification: &Notification) -> String {
    let Notification { state, vote, round } = notification;
    let state = match state {
        State::Looking => "LOOKING",
        State::Following => "FOLLOWING",
        State::Leading => "LEADING",
        State::Observing => "OBSERVING",
    };
    format!("Notification {state}, round {round}: {}", tell_vote(vote))
}

fn tell_vote(vote: &Vote) -> String {
    if *vote == Vote::NOBODY {
        return "votes for nobody".into();
    }
    format!("votes for {} (epoch {}, zxid 0x{:x})", vote.leader, vote.epoch, vote.zxid)
}
