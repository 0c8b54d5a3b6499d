//! `transfer 1 [2]`: an operator asks 1 to hand leadership to 2, or to whoever is furthest ahead.

use crate::args::{self, Args};
use crate::protocol::{Outcome, Protocol};
use crate::world::World;
use consensus::Input;

/// Asks for the transfer.
pub(super) fn transfer<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let id = args.node()?;
    let to = args.word().map(args::node).transpose()?;
    world.running(id)?;
    world.step(id, Input::TransferLeadership { to })
}
