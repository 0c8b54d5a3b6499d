//! The world that a script acts on: members, network, one clock.

use crate::client::Clients;
use crate::invariant::{self, Ghost};
use crate::link::Links;
use crate::member::Member;
use crate::network::{Flight, Network};
use crate::protocol::{Outcome, Protocol};
use crate::transcript::{Fate, Transcript};
use consensus::{Configuration, Consensus, Instant, NodeId};
use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::error::Error;

/// Everything there is.
pub struct World<P: Protocol> {
    pub(crate) settings: P::Settings,
    pub(crate) names: P::Names,
    pub(crate) configuration: Configuration,
    pub(crate) members: BTreeMap<NodeId, Member<P>>,
    pub(crate) network: Network<P::Message>,
    pub(crate) links: Links,
    pub(crate) clients: Clients,
    pub(crate) now: Instant,
    pub(crate) ghost: Ghost,
    pub(crate) transcript: Transcript,
    /// Whether messages arrive at once, so that what is sent need not be told.
    pub(crate) flowing: bool,
    /// Whether only a message that is not routine need be told of.
    pub(crate) humming: bool,
    /// How many messages were sent that are not routine.
    pub(crate) notable: u64,
    /// How often in a row a deadline was no later than the clock.
    pub(crate) idle: u32,
}

/// A member that the script names and the cluster does not have, or that cannot do what is asked.
#[derive(Debug)]
pub(crate) enum NoSuch {
    Member(NodeId),
    Running(NodeId),
}

impl fmt::Display for NoSuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoSuch::Member(id) => write!(f, "there is no member {id}"),
            NoSuch::Running(id) => write!(f, "member {id} does not run"),
        }
    }
}

impl Error for NoSuch {}

/// The clocks move, but nothing gets done: the protocol asks to be woken at a moment that has passed.
#[derive(Debug)]
pub(crate) struct Spinning(pub(crate) NodeId);

impl fmt::Display for Spinning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "member {} goes on asking to be woken at once", self.0)
    }
}

impl Error for Spinning {}

impl<P: Protocol> World<P> {
    /// A world without members, before the command `cluster`.
    pub(crate) fn new() -> World<P> {
        World {
            settings: P::Settings::default(),
            names: P::Names::default(),
            configuration: Configuration::default(),
            members: BTreeMap::new(),
            network: Network::new(),
            links: Links::default(),
            clients: Clients::default(),
            now: Instant::ZERO,
            ghost: Ghost::default(),
            transcript: Transcript::default(),
            flowing: false,
            humming: false,
            notable: 0,
            idle: 0,
        }
    }

    /// Adds a line to what the command prints.
    pub(crate) fn say(&mut self, line: String) {
        self.transcript.say(self.now, line);
    }

    /// The member `id`.
    pub(crate) fn member(&self, id: NodeId) -> Result<&Member<P>, Box<dyn Error>> {
        self.members.get(&id).ok_or_else(|| NoSuch::Member(id).into())
    }

    /// The member `id`, to be changed.
    pub(crate) fn member_mut(&mut self, id: NodeId) -> Result<&mut Member<P>, Box<dyn Error>> {
        self.members.get_mut(&id).ok_or_else(|| NoSuch::Member(id).into())
    }

    /// The member `id`, whose process must be alive and not stopped.
    pub(crate) fn running(&self, id: NodeId) -> Result<&Member<P>, Box<dyn Error>> {
        let member = self.member(id)?;
        if member.runs() { Ok(member) } else { Err(NoSuch::Running(id).into()) }
    }

    /// Who there is, in order.
    pub(crate) fn ids(&self) -> Vec<NodeId> {
        self.members.keys().copied().collect()
    }

    /// Delivers one message: tells of it, and of what follows from it.
    pub(crate) fn deliver(&mut self, flight: Flight<P::Message>) -> Outcome {
        let (from, to) = (flight.from, flight.to);
        let (name, told) = (P::name(&flight.message), P::tell(&mut self.names, &flight.message));
        let routine = self.flowing && P::is_routine(&self.settings, &flight.message);
        if !self.member(to)?.runs() {
            return self.lose(flight);
        }
        let (before, notable) = (self.transcript.len(), self.notable);
        self.receive(flight)?;
        if routine && self.transcript.len() == before && self.notable == notable {
            self.transcript.count(from, to, name, Fate::Arrived);
        } else {
            // The line belongs above what follows from it.
            let now = self.now;
            if self.transcript.len() == before {
                self.transcript.say(now, format!("{from} → {to} {told}"));
            } else {
                self.transcript.say_before(before, format!("{from} → {to} {told}"));
            }
        }
        Ok(())
    }

    /// A message is lost: tells of it, and tells the sender of a snapshot.
    pub(crate) fn lose(&mut self, flight: Flight<P::Message>) -> Outcome {
        let (from, to) = (flight.from, flight.to);
        if (self.flowing || self.humming) && P::is_routine(&self.settings, &flight.message) {
            self.transcript.count(from, to, P::name(&flight.message), Fate::Lost);
        } else {
            let told = P::tell(&mut self.names, &flight.message);
            self.say(format!("{from} ✗ {to} {told}"));
        }
        if flight.snapshot.is_some() { self.snapshot_sent(from, to, false) } else { Ok(()) }
    }

    /// Delivers everything, and what follows from it, until nothing is under way.
    pub(crate) fn settle(&mut self) -> Outcome {
        let was = core::mem::replace(&mut self.flowing, true);
        let mut outcome = Ok(());
        loop {
            // What is sent to a stopped process waits for it.
            let members = &self.members;
            let awake = |id: &NodeId| members.get(id).is_none_or(|member| !member.paused);
            let Some(flight) = self.network.take(|flight| awake(&flight.to)) else { break };
            outcome = self.deliver(flight);
            if outcome.is_err() {
                break;
            }
        }
        self.flowing = was;
        outcome
    }

    /// Lets time pass for `span`; timers end in order. With `flow`, messages arrive as they are sent.
    pub(crate) fn pass(&mut self, span: Duration, flow: bool) -> Outcome {
        let until = self.now + span;
        if flow {
            self.settle()?;
        }
        while let Some(id) = self.wake(until)? {
            self.timeout(id, flow)?;
        }
        self.now = until;
        Ok(())
    }

    /// Steps member `id`, whose deadline has come.
    pub(crate) fn timeout(&mut self, id: NodeId, flow: bool) -> Outcome {
        let was = core::mem::replace(&mut self.flowing, flow);
        let outcome = self.step(id, consensus::Input::Timeout);
        self.flowing = was;
        outcome?;
        if flow { self.settle() } else { Ok(()) }
    }

    /// Moves the clock to the earliest deadline, if it is not later than `until`, and says whose it is.
    pub(crate) fn wake(&mut self, until: Instant) -> Result<Option<NodeId>, Box<dyn Error>> {
        let running = self.members.values().filter(|member| member.runs());
        let Some((deadline, id)) = running.map(|member| (member.core().deadline(), member.id)).min() else { return Ok(None) };
        if deadline > until {
            return Ok(None);
        }
        if deadline > self.now {
            self.now = deadline;
            self.idle = 0;
        } else {
            // A late deadline is fine once (after a pause); again and again it is not.
            self.idle += 1;
            if self.idle > 1_000 {
                return Err(Spinning(id).into());
            }
        }
        Ok(Some(id))
    }

    /// What must hold after every command that no single step can show.
    pub(crate) fn check(&self) -> Outcome {
        let logs: BTreeMap<_, _> = self.members.iter().map(|(&id, member)| (id, &member.disk.written)).collect();
        Ok(invariant::logs_match(&logs)?)
    }
}
