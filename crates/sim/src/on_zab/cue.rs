//! What of an input the ghost remembers.

use crate::world::place;
use consensus::{Input, Link, Position};
use zab::{Message, Packet};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Cue {
    /// A quorum link stands, or is gone.
    Relinked(usize),
    /// A leader named a transaction.
    Named(Position),
    /// A leader cut the history.
    Cut(Position),
    /// A leader said NEWLEADER.
    NewLeader,
    /// A snapshot is in force.
    Installed(Position),
    /// Anything else.
    Other,
}

pub(super) fn cue(input: &Input<Message>) -> Cue {
    match input {
        Input::Connected { peer, link: Link::Quorum, .. } | Input::Disconnected { peer, link: Link::Quorum, .. } => {
            Cue::Relinked(place(*peer))
        }
        Input::Receive { message: Message::Packet(packet), .. } => match packet {
            Packet::Proposal { entry } => Cue::Named(entry.position),
            Packet::Inform { entry } => Cue::Named(entry.position),
            Packet::Truncate { to } => Cue::Cut(*to),
            Packet::NewLeader { .. } => Cue::NewLeader,
            _ => Cue::Other,
        },
        Input::SnapshotArrived { message: Message::Packet(Packet::Snapshot { position }), .. } => Cue::Named(*position),
        Input::Installed { snapshot } => Cue::Installed(snapshot.position),
        _ => Cue::Other,
    }
}
