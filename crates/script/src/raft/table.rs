//! `table 1`: the table that a leader keeps of its followers.

use super::Raft;
use crate::args::Args;
use crate::protocol::Outcome;
use crate::world::World;
use raft::Pace;

/// A line for the leader itself, and one for each follower: what it has (matchIndex), what it is sent next (nextIndex), and how.
pub(super) fn table(world: &mut World<Raft>, args: &mut Args<'_>) -> Outcome {
    let id = args.node()?;
    let member = world.running(id)?;
    let core = member.core();
    let mut lines = vec![format!(
        "{id} {}: log ends {}, commitIndex {}, lastApplied {}",
        member.tell(),
        core.last(),
        core.commit_index(),
        member.machine.applied.index
    )];
    for (follower, progress) in core.progress() {
        let pace = match progress.pace() {
            Pace::Probe { waiting: false } => "probe".into(),
            Pace::Probe { waiting: true } => "probe, one under way".into(),
            Pace::Replicate => format!("replicate, {} under way", progress.inflight()),
            Pace::Snapshot { index } => format!("snapshot up to {index} under way"),
        };
        lines.push(format!("  follower {follower}: nextIndex {}, matchIndex {}; {pace}", progress.next(), progress.matched()));
    }
    for line in lines {
        world.transcript.state(line);
    }
    Ok(())
}
