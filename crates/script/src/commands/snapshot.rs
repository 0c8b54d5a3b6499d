//! `snapshot 1 [cut=3]`: a member saves a snapshot and lets the log before it go, but for what is held.

use crate::args::Args;
use crate::disk::SavedSnapshot;
use crate::protocol::{Outcome, Protocol};
use crate::world::World;
use consensus::{Consensus, Input, Snapshot};

/// Saves the state machine as it is; the log goes up to `cut`, or up to the snapshot itself.
pub(super) fn snapshot<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let id = args.node()?;
    let configuration = world.configuration.clone();
    world.running(id)?;
    let member = world.member_mut(id)?;
    let snapshot = Snapshot { position: member.machine.applied, configuration };
    let held = member.core.as_ref().map_or(u64::MAX, Consensus::log_held_after);
    let cut = args.key_number("cut")?.unwrap_or(snapshot.position.index).min(held);
    member.disk.save(SavedSnapshot { stands_for: snapshot.clone(), machine: member.machine.clone() }, cut);
    let base = member.disk.written.base;
    world.say(format!("{id} saves a snapshot at {}; its log begins after {base}", snapshot.position));
    world.step(id, Input::SnapshotTaken { snapshot, cut })
}
