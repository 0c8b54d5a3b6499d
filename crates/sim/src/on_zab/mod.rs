//! Zab under test: its settings, its connections, its storage, and what must hold of it in particular.

mod config;
mod cue;
mod form;
mod invariant;
mod links;
mod lore;
mod observe;
mod snapshot;
mod store;
mod visitors;
mod wires;
mod words;
mod zoo;

use crate::fault::Fault;
use crate::ghost::Ghost;
use crate::history::Fact;
use crate::invariant::durable::Found;
use crate::machine::{InMemory, Map};
use crate::options::SimOptions;
use crate::plan::Plan;
use crate::subject::{ResponseOf, Said, Subject};
use crate::world::{World, id};
use config::Config;
use consensus::{Chance, Configuration, Entry, Input, Instant, Link, Position, Promise, SessionNote, Snapshot};
use cue::Cue;
use form::{Tree, TxnCodec};
use lore::{Known, Lore};
use replica::Answer;
use std::marker::PhantomData;
use std::time::Duration;
use storage::zookeeper::SealedSnapshot;
use store::ZabStore;
use wires::{Happening, Wires};
use zab::Message;

/// Zab, as a subject of the simulator.
pub(crate) struct Zab<S>(PhantomData<S>);

/// What Zab replicates.
pub(crate) trait Stack: Sized + 'static {
    /// The state machine.
    type Machine: InMemory;
    /// How its commands become bytes.
    type Codec: replica::Codec<Machine = Self::Machine>;
    /// See [`Subject::Company`].
    type Company: Default;

    /// Between its commands and bytes.
    fn codec() -> Self::Codec;
    /// The number of the operation that an entry carries; 0 if none.
    fn op_of(entry: &Entry) -> u64;
    /// See [`Subject::gather`].
    fn gather(_world: &mut World<Zab<Self>>) {}
    /// See [`Subject::answer_company`].
    fn answer_company(_world: &mut World<Zab<Self>>, _member: usize, _token: u64, _answer: Answer<ResponseOf<Zab<Self>>>) {}
    /// See [`Subject::heard`].
    fn heard(_world: &mut World<Zab<Self>>, _member: usize, _note: SessionNote) {}
    /// One of the company acts.
    fn act(_world: &mut World<Zab<Self>>, _who: usize) {}
}

/// The small map.
pub(crate) struct Registers;
pub(crate) use zoo::ZooKeeper;

impl Stack for Registers {
    type Machine = Map<Tree>;
    type Codec = TxnCodec;
    type Company = ();

    fn codec() -> TxnCodec {
        TxnCodec
    }

    fn op_of(entry: &Entry) -> u64 {
        form::op_of(entry)
    }
}

impl<S: Stack> Subject for Zab<S> {
    type Core = zab::Zab;
    type Machine = S::Machine;
    type Codec = S::Codec;
    type Company = S::Company;
    type Config = Config;
    type Cue = Cue;
    type Lore = Lore;
    type Known = Known;
    type Net = Wires;
    type Happening = Happening;
    type Store = ZabStore;

    const EPOCH: &str = "epoch";
    const SESSIONS: bool = true;
    // A learner is sent at once what it lacks of the history in memory, which has a bound in bytes.
    const OUTPUTS_MAX: usize = 500_000;
    const SNAPSHOTS_ARE_COMMITTED: bool = false;

    fn draw_config(options: &SimOptions, chance: &mut Chance) -> Config {
        config::draw(options, chance)
    }

    fn settle_config(_config: &mut Config, _chance: &mut Chance) {}

    fn suits(config: &Config, fault: Fault) -> bool {
        config::suits(config, fault)
    }

    fn wiped_may_return(config: &Config) -> Option<Duration> {
        Some(config::wipe_pause(config))
    }

    fn drift(_config: &Config) -> u64 {
        50
    }

    fn headline(config: &Config) -> String {
        let zab::Config { tick, init_limit, sync_limit, early_finalize, epoch_entries_max, .. } = &config.zab;
        format!(
            "a tick of {} ms, initLimit {init_limit}, syncLimit {sync_limit}; early finalize {early_finalize}; an epoch has room for \
             {epoch_entries_max} transactions",
            tick.as_millis()
        )
    }

    fn election_timeout(config: &Config) -> Duration {
        config::election_timeout(config)
    }

    fn codec() -> S::Codec {
        S::codec()
    }

    fn gather(world: &mut World<Zab<S>>) {
        S::gather(world);
    }

    fn answer_company(world: &mut World<Zab<S>>, member: usize, token: u64, answer: Answer<ResponseOf<Zab<S>>>) {
        S::answer_company(world, member, token, answer);
    }

    fn heard(world: &mut World<Zab<S>>, member: usize, note: SessionNote) {
        S::heard(world, member, note);
    }

    fn open(world: &mut World<Zab<S>>, member: usize) -> Option<(ZabStore, Found)> {
        store::open(world, member)
    }

    fn restore(world: &mut World<Zab<S>>, member: usize, store: &mut ZabStore) -> Option<S::Machine> {
        store::restore(world, member, store)
    }

    fn begin(
        world: &mut World<Zab<S>>,
        member: usize,
        _found: &Found,
        store: &mut ZabStore,
        configuration: &Configuration,
        now: Instant,
    ) -> zab::Zab {
        let recovered = store.recovered.take().expect("it was just opened");
        let recovered = zab::Recovered {
            promise: recovered.promise,
            snapshot: recovered.snapshot,
            last: recovered.last,
            tail: recovered.tail,
            before: recovered.before,
            trusted: recovered.trusted,
        };
        let config = zab::Config { id: id(member), configuration: configuration.clone(), ..world.plan.config.zab.clone() };
        let seed = world.members[member].chance.draw();
        zab::Zab::new(config, recovered, seed, now)
    }

    fn describe_start(found: &Found) -> String {
        let Promise { epoch, current, .. } = found.promise;
        format!(
            "with acceptedEpoch {epoch}, currentEpoch {current}, a log from {} to {} and a snapshot of {}",
            found.base, found.last, found.applied
        )
    }

    fn abstains(core: &zab::Zab) -> bool {
        !core.is_trusted()
    }

    fn install(
        world: &mut World<Zab<S>>,
        member: usize,
        arrived: SealedSnapshot<crate::disk::SimDisk>,
        entries: Vec<Entry>,
    ) -> Option<(Snapshot, S::Machine)> {
        store::install(world, member, arrived, &entries)
    }

    fn net(plan: &Plan<Zab<S>>) -> Wires {
        Wires::new(plan.members)
    }

    fn begin_links(world: &mut World<Zab<S>>, member: usize) {
        world.net.forget(member);
    }

    fn hang_up(world: &mut World<Zab<S>>, member: usize) {
        world.hang_up_all(member);
    }

    fn on_cut(world: &mut World<Zab<S>>, from: usize, to: usize) {
        world.cut_between(from, to);
    }

    fn reset(world: &mut World<Zab<S>>, one: usize, other: usize) {
        world.reset_between(one, other);
    }

    fn send(world: &mut World<Zab<S>>, from: usize, to: usize, message: Message) {
        world.post(from, to, message);
    }

    fn send_snapshot(world: &mut World<Zab<S>>, from: usize, to: usize, message: Message) {
        world.ship(from, to, message);
    }

    fn connect(world: &mut World<Zab<S>>, from: usize, to: usize, link: Link) {
        if link == Link::Quorum {
            world.connect_to_leader(from, to);
        }
    }

    fn disconnect(world: &mut World<Zab<S>>, from: usize, to: usize, link: Link) {
        if link == Link::Quorum {
            world.disconnect_from(from, to);
        }
    }

    fn discard_arrived(world: &mut World<Zab<S>>, member: usize) {
        world.discard_sealed(member);
    }

    fn happen(world: &mut World<Zab<S>>, happening: Happening) {
        match happening {
            Happening::Acts { who } => S::act(world, who),
            Happening::Dialed { at, peer, link, life, attempt, number } => world.on_dialed(at, peer, link, life, attempt, number),
            Happening::Knock { at, peer, life } => world.on_knock(at, peer, life),
            Happening::Closed { at, peer, life } => world.on_closed(at, peer, life),
            Happening::Pump { conn, end, member } => world.pump(conn, end, member),
            Happening::Hangup { conn, end, member, lost } => world.on_hangup(conn, end, member, lost),
            Happening::Timeout { conn, end, member } => world.on_timeout(conn, end, member),
            Happening::Settled { conn, end, member, life, message } => world.on_settled(conn, end, member, life, message),
            Happening::Sent { conn, end, member, life, delivered } => world.on_sent(conn, end, member, life, delivered),
        }
    }

    fn lore(_plan: &Plan<Zab<S>>) -> Lore {
        Lore::default()
    }

    fn known(members: usize) -> Known {
        Known::new(members)
    }

    fn cue(input: &Input<Message>) -> Cue {
        cue::cue(input)
    }

    fn stepped(ghost: &mut Ghost<Zab<S>>, member: usize, _now: Instant, cue: Cue, outputs: &[Said<Zab<S>>], core: &zab::Zab) {
        core.check();
        ghost.take_in(member, cue, outputs, core);
    }

    fn promised(ghost: &mut Ghost<Zab<S>>, member: usize, before: Promise, promise: Promise) {
        ghost.check_epochs(member, before, promise);
    }

    fn promise_synced(_ghost: &mut Ghost<Zab<S>>, _member: usize, _promise: Promise) {}

    fn may_find(synced: Promise, found: Promise, last: Position) -> bool {
        // Whoever has a transaction of an epoch has all that the epoch began with: a start completes `currentEpoch.tmp`.
        found.epoch >= synced.epoch && found.current == last.epoch
    }

    fn excused_changes(ghost: &Ghost<Zab<S>>) -> u64 {
        ghost.lore.epochs_full
    }

    fn calm_needs_quiet(config: &Config) -> bool {
        config.zab.epoch_entries_max < 1 << 20
    }

    fn is_fresh(ghost: &Ghost<Zab<S>>, member: usize) -> bool {
        // SYNC asks the leader, and the leader asks nobody: one that was replaced and has not noticed answers from its own epoch
        // (so does Java's).
        ghost.last_led <= ghost.members[member].term
    }

    fn started(ghost: &mut Ghost<Zab<S>>, member: usize, _found: &Found) {
        ghost.members[member].own = Known::new(ghost.members.len());
    }

    fn committed_more(_ghost: &mut Ghost<Zab<S>>, _member: usize, _fact: Fact) {}

    fn op_of(entry: &Entry) -> u64 {
        S::op_of(entry)
    }

    fn follows(before: Position, next: Position) -> bool {
        let same_epoch = next.epoch == before.epoch && next.index == before.index + 1;
        same_epoch || next.epoch > before.epoch && next.index == 1
    }

    fn began_to_lead(_world: &mut World<Zab<S>>, _member: usize, _epoch: u64) {}
}
