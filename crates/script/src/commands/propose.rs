//! `propose 1 "x" ["y"…]`: a client writes.

use crate::args::{Args, BadArgument};
use crate::protocol::{Outcome, Protocol};
use crate::world::World;
use bytes::Bytes;

/// Proposes at a leader, forwards at a follower.
pub(super) fn propose<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let id = args.node()?;
    let commands: Vec<Bytes> = core::iter::from_fn(|| args.word()).map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
    if commands.is_empty() {
        return Err(BadArgument::boxed("", "a command"));
    }
    world.write(id, commands)
}
