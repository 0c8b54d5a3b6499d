//! Runs a script's commands, one after the other.

use crate::args::Args;
use crate::commands;
use crate::protocol::Protocol;
use crate::world::World;
use std::error::Error;

/// Runs scripts for one protocol.
pub struct Runner<P: Protocol> {
    world: World<P>,
}

impl<P: Protocol> Default for Runner<P> {
    fn default() -> Self {
        Runner { world: World::new() }
    }
}

impl<P: Protocol> goldenscript::Runner for Runner<P> {
    type Command = goldenscript::Command;

    fn run(&mut self, command: &goldenscript::Command, _: &goldenscript::Context) -> Result<String, Box<dyn Error>> {
        let outcome = commands::run(&mut self.world, &command.name, Args::of(command)).and_then(|()| self.world.check());
        let told = self.world.transcript.finish();
        // What went before a broken promise is what explains it.
        outcome.map(|()| told.clone()).map_err(|error| Broken { told, error }.into())
    }
}

/// A command that failed, with what it had told until then.
#[derive(Debug)]
struct Broken {
    told: String,
    error: Box<dyn Error>,
}

impl core::fmt::Display for Broken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.told.is_empty() { write!(f, "{}", self.error) } else { write!(f, "{}\nafter\n{}", self.error, self.told) }
    }
}

impl Error for Broken {}
