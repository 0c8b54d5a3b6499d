//! One member: its core, its disk, its state machine.

use crate::disk::{Disk, SavedSnapshot};
use crate::machine::Machine;
use crate::protocol::{Found, Protocol};
use consensus::{Configuration, Consensus, Instant, NodeId, Position, Role};
use core::time::Duration;

/// A member, running or not.
pub(crate) struct Member<P: Protocol> {
    pub(crate) id: NodeId,
    /// `None` while its process is dead.
    pub(crate) core: Option<P::Core>,
    /// A stopped process: alive, but it takes no step.
    pub(crate) paused: bool,
    pub(crate) disk: Disk,
    pub(crate) machine: Machine,
    /// A peer's snapshot that has arrived, not yet in force.
    pub(crate) arrived: Option<SavedSnapshot>,
    /// How it is set up.
    pub(crate) settings: P::Settings,
    /// How long exactly it waits for a leader.
    pub(crate) timer: Duration,
    /// Grows with every start of its process.
    pub(crate) incarnation: u64,
    /// What it last said of itself.
    pub(crate) role: Role,
    pub(crate) epoch: u64,
    /// The last epoch that it was seen to lead.
    pub(crate) led: Option<u64>,
    /// What it last knew to be committed.
    pub(crate) committed: Position,
}

impl<P: Protocol> Member<P> {
    /// A member that has never run.
    pub(crate) fn new(id: NodeId, settings: P::Settings, timer: Duration) -> Member<P> {
        Member {
            id,
            core: None,
            paused: false,
            disk: Disk::default(),
            machine: Machine::default(),
            arrived: None,
            settings,
            timer,
            incarnation: 0,
            role: Role::Follower { leader: None },
            epoch: 0,
            led: None,
            committed: Position::ZERO,
        }
    }

    /// Starts its process from what its disk holds. The state machine begins with the last snapshot.
    pub(crate) fn start(&mut self, now: Instant, configuration: &Configuration) {
        self.machine = self.disk.snapshot.as_ref().map_or_else(Machine::default, |saved| saved.machine.clone());
        let core = P::start(
            &self.settings,
            Found { id: self.id, now, timer: self.timer, disk: &self.disk.synced, applied: self.machine.applied, configuration },
        );
        self.paused = false;
        self.incarnation += 1;
        self.role = Role::Follower { leader: None };
        self.epoch = self.disk.synced.promise.epoch;
        self.committed = core.committed();
        self.core = Some(core);
    }

    /// Whether it takes steps.
    pub(crate) fn runs(&self) -> bool {
        self.core.is_some() && !self.paused
    }

    /// Its core. Panics if its process is dead, which the commands have asked.
    pub(crate) fn core(&self) -> &P::Core {
        self.core.as_ref().expect("the process runs")
    }

    /// What it is, in words.
    pub(crate) fn tell(&self) -> String {
        let (epoch, word) = (self.epoch, P::EPOCH);
        match self.role {
            _ if self.core.is_none() => "is down".into(),
            Role::Leader => format!("leads {word} {epoch}"),
            Role::Follower { leader: Some(leader) } => format!("follows {leader} in {word} {epoch}"),
            Role::Follower { leader: None } => format!("follows nobody in {word} {epoch}"),
            Role::Learner { leader: Some(leader) } => format!("learns from {leader} in {word} {epoch}"),
            Role::Learner { leader: None } => format!("learns from nobody in {word} {epoch}"),
            Role::PreCandidate => format!("is a pre-candidate in {word} {epoch}"),
            Role::Candidate => format!("{} in {word} {epoch}", P::CANDIDATE),
        }
    }
}
