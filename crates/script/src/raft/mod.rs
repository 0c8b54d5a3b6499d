//! Raft, for scripts.

mod settings;
mod table;
mod words;

use crate::args::Args;
use crate::protocol::{Found, Protocol};
use crate::world::World;
use core::time::Duration;
use raft::{Body, Message, Recovered};
use settings::Settings;
use std::error::Error;
use words::Names;

/// Raft.
pub struct Raft;

impl Protocol for Raft {
    type Message = Message;
    type Decision = raft::Decision;
    type Core = raft::Raft;
    type Settings = Settings;
    type Names = Names;

    const EPOCH: &'static str = "term";

    fn set(settings: &mut Settings, key: &str, value: &str) -> Result<bool, Box<dyn Error>> {
        settings.set(key, value)
    }

    fn patience(settings: &Settings) -> Duration {
        settings.election_timeout()
    }

    fn start(settings: &Settings, found: Found<'_>) -> raft::Raft {
        let log = found.disk;
        let mut terms: Vec<(u64, u64)> = Vec::new();
        for entry in &log.entries {
            if terms.last().is_none_or(|&(_, term)| term != entry.position.epoch) {
                terms.push((entry.position.index, entry.position.epoch));
            }
        }
        let recovered = Recovered {
            promise: log.promise,
            base: log.base,
            terms,
            last: log.last().index,
            applied: found.applied,
            configuration: found.configuration.clone(),
        };
        raft::Raft::new(settings.of(found.id, found.timer), recovered, found.id.0, found.now)
    }

    fn name(message: &Message) -> &'static str {
        words::name(&message.body)
    }

    fn tell(names: &mut Names, message: &Message) -> String {
        words::tell(names, message)
    }

    fn is_routine(settings: &Settings, message: &Message) -> bool {
        // A context says that a read waits for the answer, or just that the lease counts from this heartbeat.
        match &message.body {
            Body::Heartbeat { context, .. } | Body::HeartbeatAck { context } => context.is_empty() || settings.lease_reads(),
            _ => false,
        }
    }

    fn command(world: &mut World<Raft>, name: &str, args: &mut Args<'_>) -> Result<bool, Box<dyn Error>> {
        match name {
            "table" => table::table(world, args)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}
