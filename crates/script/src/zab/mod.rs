//! Zab and its election, for scripts.

mod settings;
mod words;

use crate::args::Args;
use crate::protocol::{Found, Protocol};
use crate::world::World;
use consensus::{Configuration, Entry, Link, Position, Promise};
use core::time::Duration;
use settings::Settings;
use std::error::Error;
use zab::{Message, Packet, Recovered};

/// ZooKeeper's Fast Leader Election and Zab.
pub struct Zab;

impl Protocol for Zab {
    type Message = Message;
    type Decision = zab::Decision;
    type Core = zab::Zab;
    type Settings = Settings;
    type Names = ();

    const EPOCH: &'static str = "epoch";
    const CANDIDATE: &'static str = "is looking";
    const LINK: Link = Link::Election;
    const BEGINS_WITH_A_SNAPSHOT: bool = true;

    fn configuration(settings: &Settings, count: u64) -> Configuration {
        settings.configuration(count)
    }

    fn link(message: &Message) -> Link {
        message.link()
    }

    fn following(previous: Position, epoch: u64) -> Position {
        Position::new(epoch, if previous.epoch == epoch { previous.index + 1 } else { 1 })
    }

    fn number(position: Position) -> u64 {
        position.zxid()
    }

    /// The last entry at or before `first`, or the log's first if that is the very next. A log that begins later gives nothing: nobody
    /// could tell what is missing.
    fn first_fetched(base: Position, log: &[Entry], first: u64) -> Option<usize> {
        let at_or_before = log.iter().rposition(|entry| entry.position.zxid() <= first);
        at_or_before.or((base.zxid() == first && !log.is_empty()).then_some(0))
    }

    fn promise(promise: &Promise) -> String {
        format!("accepted epoch {}, current epoch {}", promise.epoch, promise.current)
    }

    fn promised(epoch: u64) -> Promise {
        Promise { epoch, current: epoch, ..Promise::default() }
    }

    fn set(settings: &mut Settings, key: &str, value: &str) -> Result<bool, Box<dyn Error>> {
        settings.set(key, value)
    }

    fn patience(settings: &Settings) -> Duration {
        settings.sync_time()
    }

    fn start(settings: &Settings, found: Found<'_>) -> zab::Zab {
        let log = found.disk;
        let recovered = Recovered {
            promise: log.promise,
            snapshot: found.applied,
            last: log.last(),
            tail: log.entries.clone(),
            before: log.base,
            trusted: true,
        };
        zab::Zab::new(settings.of(found.id, found.configuration), recovered, found.id.0, found.now)
    }

    fn name(message: &Message) -> &'static str {
        words::name(message)
    }

    fn tell((): &mut (), message: &Message) -> String {
        words::tell(message)
    }

    fn is_routine(_: &Settings, message: &Message) -> bool {
        matches!(message, Message::Packet(Packet::Ping { .. }))
    }

    fn command(_: &mut World<Zab>, _: &str, _: &mut Args<'_>) -> Result<bool, Box<dyn Error>> {
        Ok(false)
    }
}
