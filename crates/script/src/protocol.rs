//! What the runner must know of a protocol, and what it gives a member to start with.

use crate::args::Args;
use crate::disk::Image;
use crate::world::World;
use consensus::{Configuration, Consensus, Entry, Instant, Link, NodeId, Position, Promise};
use core::fmt;
use core::time::Duration;
use std::error::Error;

/// How a command ended.
pub type Outcome = Result<(), Box<dyn Error>>;

/// A protocol that scripts can be written for.
pub trait Protocol: Sized + 'static {
    /// What members say to each other.
    type Message: Clone;
    /// Why they do what they do.
    type Decision: fmt::Display;
    /// The protocol itself.
    type Core: Consensus<Message = Self::Message, Decision = Self::Decision>;
    /// What the command `cluster` can set, the same for all members.
    type Settings: Clone + Default;
    /// Short names for what is unreadable in messages, in the order of their appearance.
    type Names: Default;

    /// What an epoch is called.
    const EPOCH: &'static str;
    /// What a member without a leader is called.
    const CANDIDATE: &'static str = "is a candidate";
    /// The link that stands by itself between members.
    const LINK: Link = Link::Peer;
    /// Whether every member begins with a snapshot of nothing, which can be sent.
    const BEGINS_WITH_A_SNAPSHOT: bool = false;

    /// Which of `count` members are voters, and which are not.
    fn configuration(_settings: &Self::Settings, count: u64) -> Configuration {
        Configuration::of((1..=count).map(NodeId))
    }

    /// The link that a message travels over. One that is not [`Protocol::LINK`] stands only while the protocol has opened it, and is lost as
    /// a whole.
    fn link(_message: &Self::Message) -> Link {
        Self::LINK
    }

    /// The position after `previous` in `epoch`.
    fn following(previous: Position, epoch: u64) -> Position {
        Position::new(epoch, previous.index + 1)
    }

    /// The place in `log`, which begins after `base`, of the first entry to be given to who wants them from `first` on, if it is there.
    fn first_fetched(_base: Position, log: &[Entry], first: u64) -> Option<usize> {
        log.iter().position(|entry| entry.position.index == first)
    }

    /// By which number old entries are asked for.
    fn number(position: Position) -> u64 {
        position.index
    }

    /// What a member has promised, in words.
    fn promise(promise: &Promise) -> String {
        format!("voted for {}", promise.vote.map_or("nobody".into(), |vote| vote.to_string()))
    }

    /// What a member whose log was shaped by the leader of `epoch` has promised.
    fn promised(epoch: u64) -> Promise {
        Promise { epoch, ..Promise::default() }
    }

    /// Sets `key` to `value`. False: there is no such key.
    fn set(settings: &mut Self::Settings, key: &str, value: &str) -> Result<bool, Box<dyn Error>>;

    /// How long members wait for a leader, at least.
    fn patience(settings: &Self::Settings) -> Duration;

    /// Starts a member.
    fn start(settings: &Self::Settings, found: Found<'_>) -> Self::Core;

    /// The message's name, by which scripts select it.
    fn name(message: &Self::Message) -> &'static str;

    /// The message in plain words, its name first.
    fn tell(names: &mut Self::Names, message: &Self::Message) -> String;

    /// Whether the message is one of those that go to and fro all the time.
    fn is_routine(settings: &Self::Settings, message: &Self::Message) -> bool;

    /// The commands that only this protocol has. False: it has no such command.
    fn command(world: &mut World<Self>, name: &str, args: &mut Args<'_>) -> Result<bool, Box<dyn Error>>;
}

/// What a member finds when it starts.
pub struct Found<'a> {
    /// Who it is.
    pub id: NodeId,
    /// The moment.
    pub now: Instant,
    /// How long exactly it waits for a leader before it stands for election.
    pub timer: Duration,
    /// What its disk holds, all of it synced.
    pub disk: &'a Image,
    /// What its state machine holds.
    pub applied: Position,
    /// The configuration there.
    pub configuration: &'a Configuration,
}
