//! What the simulator must know of a protocol to try it.
//!
//! Everything else (time, disks, processes, clients, most faults and most invariants) is the same for all, and lives in the other
//! modules. [`crate::on_raft`] and [`crate::on_zab`] are the subjects.

use crate::fault::Fault;
use crate::ghost::Ghost;
use crate::history::Fact;
use crate::invariant::durable::Found;
use crate::linear::Done;
use crate::machine::Face;
use crate::options::SimOptions;
use crate::plan::Plan;
use crate::world::World;
use bytes::Bytes;
use consensus::{
    Chance, Configuration, Consensus, Entry, Fetch, Input, Instant, Output, Persist, Position, Promise, SessionNote, Snapshot,
    StateMachine,
};
use replica::Answer;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A protocol under test, and how its members are wired and keep what they know.
pub(crate) trait Subject: Sized + 'static {
    /// The protocol.
    type Core: Consensus<Message: Clone + fmt::Debug>;
    /// The state machine.
    type Machine: Face;
    /// How its commands become bytes.
    type Codec: replica::Codec<Machine = Machine<Self>>;
    /// What there is in the world for this subject only: clients of another kind.
    type Company: Default;
    /// The members' settings.
    type Config: Clone + fmt::Debug;
    /// What the ghost remembers of an input, which the step consumes.
    type Cue;
    /// What the ghost knows of the cluster beyond what it knows of any.
    type Lore;
    /// What the ghost knows of a member beyond what it knows of any.
    type Known;
    /// The members' links.
    type Net;
    /// What happens on links.
    type Happening: Happening;
    /// What a member keeps on its disk.
    type Store: Store;

    /// What it calls an epoch.
    const EPOCH: &str;
    /// Clients are bound to one server at a time: it serves them only in the broadcast phase, and refuses who has seen more than it
    /// has applied. They read from it without asking anybody, too.
    const SESSIONS: bool;
    /// More outputs of one step than this are a queue without bound.
    const OUTPUTS_MAX: usize;
    /// A snapshot never holds what is not committed.
    const SNAPSHOTS_ARE_COMMITTED: bool;
    /// Machines are kept in files that they are read from all the time.
    const KEEPS_FILES: bool = false;

    // ---- the plan ----

    /// Draws the members' settings …
    fn draw_config(options: &SimOptions, chance: &mut Chance) -> Self::Config;
    /// … and those that depend on the rest of the plan.
    fn settle_config(config: &mut Self::Config, chance: &mut Chance);
    /// The replica's settings that are not for chance to draw.
    fn settle_replica(_options: &mut replica::Options) {}
    /// Whether a class of faults makes sense with these settings.
    fn suits(config: &Self::Config, fault: Fault) -> bool;
    /// A member whose disk was emptied may take part again after so long, as one that abstains at first.
    fn wiped_may_return(_config: &Self::Config) -> Option<Duration> {
        None
    }
    /// By how many parts in a thousand clocks may drift without a fault.
    fn drift(config: &Self::Config) -> u64;
    /// What is special about this plan, in words.
    fn headline(config: &Self::Config) -> String;
    /// How long a cluster may take to notice that its leader is gone.
    fn election_timeout(config: &Self::Config) -> Duration;

    // ---- processes ----

    /// Between the map's commands and bytes.
    fn codec() -> Self::Codec;
    /// Opens a member's disk. `None` if the process did not survive that.
    fn open(world: &mut World<Self>, member: usize) -> Option<(Self::Store, Found)>;
    /// The machine of a process that begins, from its newest snapshot. `None` if the process did not survive reading it.
    fn restore(world: &mut World<Self>, member: usize, store: &mut Self::Store) -> Option<Machine<Self>>;
    /// The protocol of a process that begins, with the configuration in force.
    fn begin(
        world: &mut World<Self>,
        member: usize,
        found: &Found,
        store: &mut Self::Store,
        configuration: &Configuration,
        now: Instant,
    ) -> Self::Core;
    /// What a process found, in words.
    fn describe_start(found: &Found) -> String;
    /// Whether this member abstains until somebody has told it what is committed.
    fn abstains(core: &Self::Core) -> bool;
    /// Puts a snapshot that arrived into force. `None` if the process did not survive that.
    fn install(
        world: &mut World<Self>,
        member: usize,
        arrived: Arrived<Self>,
        entries: Vec<Entry>,
    ) -> Option<(Snapshot, Machine<Self>)>;

    // ---- links ----

    /// No link stands.
    fn net(plan: &Plan<Self>) -> Self::Net;
    /// A process began.
    fn begin_links(world: &mut World<Self>, member: usize);
    /// A process is gone: the kernel closes its connections.
    fn hang_up(world: &mut World<Self>, member: usize);
    /// Nothing passes from one to the other any more.
    fn on_cut(world: &mut World<Self>, from: usize, to: usize);
    /// What stands between two members is reset.
    fn reset(world: &mut World<Self>, one: usize, other: usize);
    /// A process sends.
    fn send(world: &mut World<Self>, from: usize, to: usize, message: Message<Self>);
    /// A process sends its newest snapshot, or the one that the message names.
    fn send_snapshot(world: &mut World<Self>, from: usize, to: usize, message: Message<Self>);
    /// A process wants a link.
    fn connect(world: &mut World<Self>, from: usize, to: usize, link: consensus::Link);
    /// A process is done with a link.
    fn disconnect(world: &mut World<Self>, from: usize, to: usize, link: consensus::Link);
    /// The replica does not want the snapshot that arrived.
    fn discard_arrived(world: &mut World<Self>, member: usize);
    /// Something happens on a link.
    fn happen(world: &mut World<Self>, happening: Self::Happening);

    // ---- clients of another kind ----

    /// They begin.
    fn gather(_world: &mut World<Self>) {}
    /// A member answered one of them, by [`COMPANY`] and higher tokens.
    fn answer_company(_world: &mut World<Self>, _member: usize, _token: u64, _answer: Answer<ResponseOf<Self>>) {}
    /// A member has heard of a session.
    fn heard(_world: &mut World<Self>, _member: usize, _note: SessionNote) {}

    /// A member has taken in an event: whether what its machine says of it counts. False if its process is gone because what it kept
    /// could not be read.
    fn is_whole(_world: &mut World<Self>, _member: usize) -> bool {
        true
    }
    /// A member has taken in an event, and has carried out what came of it.
    fn turned(_world: &mut World<Self>, _member: usize) {}
    /// A healed core has found itself and clients have fallen silent: now all of the company must be served there.
    fn company_in_calm(_world: &mut World<Self>, _core: &[usize]) {}
    /// What they have done, for the check of real time.
    fn done_by_company(_world: &World<Self>) -> Vec<Done> {
        Vec::new()
    }

    /// How often what was looked at.
    fn tally(_world: &World<Self>) -> BTreeMap<&'static str, u64> {
        BTreeMap::new()
    }

    // ---- what the ghost sees ----

    /// Nothing is known yet.
    fn lore(plan: &Plan<Self>) -> Self::Lore;
    /// Nothing is known yet of one of so many members.
    fn known(members: usize) -> Self::Known;
    /// What of an input matters.
    fn cue(input: &Input<Message<Self>>) -> Self::Cue;
    /// A member stepped, at `now` by its own clock.
    fn stepped(ghost: &mut Ghost<Self>, member: usize, now: Instant, cue: Self::Cue, outputs: &[Said<Self>], core: &Self::Core);
    /// A member's new promise is on its way to the disk.
    fn promised(ghost: &mut Ghost<Self>, member: usize, before: Promise, promise: Promise);
    /// It is synced.
    fn promise_synced(ghost: &mut Ghost<Self>, member: usize, promise: Promise);
    /// Whether what this member answers now is linearizable.
    fn is_fresh(_ghost: &Ghost<Self>, _member: usize) -> bool {
        true
    }
    /// How often leadership was given up for a reason that is no failure.
    fn excused_changes(_ghost: &Ghost<Self>) -> u64 {
        0
    }
    /// Whether clients that go on calling would keep leadership changing hands for such a reason.
    fn calm_needs_quiet(_config: &Self::Config) -> bool {
        false
    }
    /// Whether a start may find this promise, though another was synced last.
    fn may_find(_synced: Promise, _found: Promise, _last: Position) -> bool {
        false
    }
    /// A process began.
    fn started(ghost: &mut Ghost<Self>, member: usize, found: &Found);
    /// A member learned that everything up to this entry of its log is committed.
    fn committed_more(ghost: &mut Ghost<Self>, member: usize, fact: Fact);
    /// The number of the operation that an entry carries; 0 if none.
    fn op_of(entry: &Entry) -> u64;
    /// Whether an entry at `next` may follow one at `before`.
    fn follows(before: Position, next: Position) -> bool;
    /// A member says that it leads: nobody else may act on an older claim.
    fn began_to_lead(world: &mut World<Self>, member: usize, epoch: u64);
}

/// Where the tokens of clients of another kind begin.
pub(crate) const COMPANY: u64 = 1 << 48;

/// The state machine.
pub(crate) type Machine<P> = <P as Subject>::Machine;
/// The answers of its machine.
pub(crate) type ResponseOf<P> = <Machine<P> as StateMachine>::Response;
/// A protocol's messages.
pub(crate) type Message<P> = <<P as Subject>::Core as Consensus>::Message;
/// A protocol's reasons.
pub(crate) type Decision<P> = <<P as Subject>::Core as Consensus>::Decision;
/// What a protocol says.
pub(crate) type Said<P> = Output<Message<P>, Decision<P>>;
/// A snapshot that a peer sent.
pub(crate) type Arrived<P> = <<P as Subject>::Store as Store>::Arrived;

/// Something that happens on a link.
pub(crate) trait Happening: fmt::Debug {
    /// The process that has to run for it. It waits while that stands still.
    fn process(&self) -> Option<usize>;
    /// Whether somebody else waits for it even if that process dies first.
    fn outlives_process(&self) -> bool;
}

/// What a member keeps on its disk: the product's own log and snapshots, each with the face that it has.
pub(crate) trait Store {
    /// A snapshot that a peer sent, whole and synced.
    type Arrived;

    /// Writes a batch, without syncing it.
    fn write(&mut self, batch: &[Persist]) -> Result<(), storage::Fault>;
    /// Syncs what was written.
    fn sync(&mut self) -> Result<(), storage::Fault>;
    /// Cuts the log up to and including an index, as far as a durable snapshot covers it.
    fn cut(&mut self, upto: u64) -> Result<(), storage::Fault>;
    /// Reads from the log.
    fn fetch(&mut self, fetch: &Fetch) -> Result<Vec<Entry>, storage::Fault>;
    /// Writes a piece of a snapshot that is being taken.
    fn write_chunk(&mut self, snapshot: &Snapshot, chunk: &Bytes) -> Result<(), storage::Fault>;
    /// The snapshot that is being taken.
    fn taking(&self) -> Option<Position>;
    /// Syncs and publishes the snapshot that is being taken, and removes old ones.
    fn publish(&mut self, kept: usize) -> Result<(), storage::Fault>;
}
