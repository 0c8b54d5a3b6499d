//! The commands: one file each, or one for those that belong together.

mod cluster;
mod crash;
mod cut;
mod deliver;
mod disk;
mod log;
mod pause;
mod propose;
mod read;
mod refuse;
mod show;
mod snapshot;
mod stabilize;
mod status;
mod time;
mod transfer;

use crate::args::Args;
use crate::protocol::{Outcome, Protocol};
use crate::world::World;
use core::fmt;
use std::error::Error;

/// Runs the command `name`.
pub(crate) fn run<P: Protocol>(world: &mut World<P>, name: &str, mut args: Args<'_>) -> Outcome {
    match name {
        "cluster" => cluster::cluster(world, &mut args)?,
        "log" => log::log(world, &mut args)?,
        "disk" => disk::disk(world, &mut args)?,
        "sync" => disk::sync(world, &mut args)?,

        "advance" => time::advance(world, &mut args)?,
        "run" => time::run(world, &mut args)?,
        "expire" => time::expire(world, &mut args)?,
        "deliver" => deliver::deliver(world, &mut args)?,
        "drop" => deliver::drop(world, &mut args)?,
        "copy" => deliver::copy(world, &mut args)?,
        "stabilize" => stabilize::stabilize(world)?,

        "propose" => propose::propose(world, &mut args)?,
        "read" => read::read(world, &mut args)?,
        "transfer" => transfer::transfer(world, &mut args)?,
        "snapshot" => snapshot::snapshot(world, &mut args)?,

        "cut" => cut::cut(world, &mut args)?,
        "heal" => cut::heal(world, &mut args)?,
        "isolate" => cut::isolate(world, &mut args)?,
        "partition" => cut::partition(world, &mut args)?,
        "links" => cut::links(world, &mut args)?,
        "refuse" => refuse::refuse(world, &mut args)?,
        "crash" => crash::crash(world, &mut args)?,
        "kill" => crash::kill(world, &mut args)?,
        "restart" => crash::restart(world, &mut args)?,
        "pause" => pause::pause(world, &mut args)?,
        "resume" => pause::resume(world, &mut args)?,

        "status" => status::status(world, &mut args)?,
        "show" => show::show(world, &mut args)?,
        "pending" => show::pending(world)?,

        _ if P::command(world, name, &mut args)? => {}
        _ => return Err(UnknownCommand { name: name.into() }.into()),
    }
    args.end()
}

/// A command that does not exist.
#[derive(Debug)]
struct UnknownCommand {
    name: String,
}

impl fmt::Display for UnknownCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no command {:?}", self.name)
    }
}

impl Error for UnknownCommand {}
