//! `status [1…]`: where members stand.

use crate::args::Args;
use crate::protocol::{Outcome, Protocol};
use crate::world::World;

/// One line for each member.
pub(super) fn status<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let asked = args.nodes()?;
    let ids = if asked.is_empty() { world.ids() } else { asked };
    for id in ids {
        let member = world.member(id)?;
        let promise = member.disk.written.promise;
        let line = format!(
            "{id} {}, {}; log ends {}, commit {}, applied {}",
            member.tell(),
            P::promise(&promise),
            member.disk.written.last(),
            member.committed,
            member.machine.applied
        );
        world.transcript.state(line);
    }
    Ok(())
}
