//! What the runner must know of a protocol, and what it gives a member to start with.

use crate::args::Args;
use crate::disk::Image;
use crate::world::World;
use consensus::{Configuration, Consensus, Instant, NodeId, Position};
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
