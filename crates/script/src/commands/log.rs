//! `log 1 1x3 4x2 [term=5] [vote=2]`: what a member's log holds when the story begins.

use super::cluster::{connect, start};
use crate::args::{self, Args, BadArgument};
use crate::protocol::{Outcome, Protocol};
use crate::words::FILLER;
use crate::world::World;
use bytes::Bytes;
use consensus::{Entry, EntryKind, Instant, Position, Promise};

/// Writes the log and starts the member anew.
pub(super) fn log<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let id = args.node()?;
    if world.now > Instant::ZERO {
        return Err(BadArgument::boxed("log", "no log to be made once time has passed"));
    }
    let mut entries: Vec<Entry> = Vec::new();
    while let Some(word) = args.word() {
        let (epoch, count) = word.split_once('x').ok_or_else(|| BadArgument::boxed(word, "a run such as 4x2"))?;
        let epoch: u64 = args::number(epoch)?;
        for _ in 0..args::number::<u64>(count)? {
            let last = entries.last().map_or(Position::ZERO, |entry: &Entry| entry.position);
            let position = P::following(last, epoch);
            entries.push(Entry { position, kind: EntryKind::Command, data: Bytes::from_static(FILLER) });
        }
    }
    let last = entries.last().map_or(0, |entry| entry.position.epoch);
    let epoch = args.key_number(P::EPOCH)?.unwrap_or(last);
    let vote = args.key_node("vote")?;
    let disk = &mut world.member_mut(id)?.disk;
    disk.synced.entries = entries;
    disk.synced.promise = Promise { vote, ..P::promised(epoch) };
    disk.written = disk.synced.clone();
    start(world, id)?;
    connect(world, id)
}
