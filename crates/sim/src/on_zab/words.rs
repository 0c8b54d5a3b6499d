//! Zab's messages in plain words.

use consensus::Position;
use zab::{Message, Notification, Packet, State, Vote};

/// What a message says.
pub(super) fn say(message: &Message) -> String {
    match message {
        Message::Notification(notification) => notify(notification),
        Message::Packet(packet) => packet_words(packet),
    }
}

fn notify(Notification { state, vote, round }: &Notification) -> String {
    let doing = match state {
        State::Looking => "I look for a leader",
        State::Following => "I follow",
        State::Leading => "I lead",
        State::Observing => "I observe",
    };
    let Vote { epoch, zxid, leader } = vote;
    match *leader {
        ..0 => format!("{doing} in round {round}, and vote for nobody"),
        leader => format!("{doing} in round {round}, and vote for m{leader} (epoch {epoch}, zxid {zxid:x})"),
    }
}

fn packet_words(packet: &Packet) -> String {
    match packet {
        Packet::LearnerInfo { accepted, observer, .. } => {
            let whom = if *observer { "an observer" } else { "a follower" };
            format!("I am {whom}, and have accepted epoch {accepted} (LEARNERINFO)")
        }
        Packet::LeaderInfo { epoch } => format!("my epoch will be {epoch} (LEADERINFO)"),
        Packet::AckEpoch { current, last } => {
            let current =
                current.map_or_else(|| "and had so before".to_owned(), |current| format!("my data are of epoch {current}"));
            let last = last.map_or_else(|| "nothing".to_owned(), zxid);
            format!("I accept it; {current}, up to {last} (ACKEPOCH)")
        }
        Packet::Diff { upto } => format!("you lack only what follows, up to {} (DIFF)", zxid(*upto)),
        Packet::Truncate { to } => format!("cut what you have after {} (TRUNC)", zxid(*to)),
        Packet::Snapshot { position } => format!("here is a snapshot of {} (SNAP)", zxid(*position)),
        Packet::NewLeader { epoch } => format!("that was the history of epoch {epoch} (NEWLEADER)"),
        Packet::UpToDate => "a quorum has it: serve (UPTODATE)".to_owned(),
        Packet::Ack { position } => format!("my log holds {} (ACK)", zxid(*position)),
        Packet::Proposal { entry } => format!("log {} (PROPOSAL)", zxid(entry.position)),
        Packet::Commit { position } => format!("{} is committed (COMMIT)", zxid(*position)),
        Packet::Inform { entry } => format!("{} is committed, and this is it (INFORM)", zxid(entry.position)),
        Packet::Ping { last, touched } => format!("I am here; {} (PING, {} sessions)", zxid(*last), touched.len()),
        Packet::Revalidate(note) => format!("{note:?} (REVALIDATE)"),
        Packet::Request(_) => "a client wants to write this (REQUEST)".to_owned(),
        Packet::SyncRequest => "tell me when all of this is committed (SYNC)".to_owned(),
        Packet::Sync => "it is (SYNC)".to_owned(),
        Packet::Activate { position } => format!("the configuration of {} is in force", zxid(*position)),
    }
}

fn zxid(position: Position) -> String {
    format!("{:x}", position.epoch << 32 | position.index)
}
