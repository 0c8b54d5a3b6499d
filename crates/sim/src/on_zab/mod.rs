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
mod wires;
mod words;

use crate::fault::Fault;
use crate::ghost::Ghost;
use crate::history::Fact;
use crate::invariant::durable::Found;
use crate::machine::Map;
use crate::options::SimOptions;
use crate::plan::Plan;
use crate::subject::{Said, Subject};
use crate::world::{World, id};
use config::Config;
use consensus::{Chance, Configuration, Entry, Input, Instant, Link, Position, Promise, Snapshot};
use cue::Cue;
use form::{Tree, TxnCodec};
use lore::{Known, Lore};
use std::time::Duration;
use storage::zookeeper::SealedSnapshot;
use store::ZabStore;
use wires::{Happening, Wires};
use zab::Message;

/// Zab, as a subject of the simulator.
pub(crate) struct Zab;

impl Subject for Zab {
    type Core = zab::Zab;
    type Codec = TxnCodec;
    type Form = Tree;
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

    fn codec() -> TxnCodec {
        TxnCodec
    }

    fn open(world: &mut World<Zab>, member: usize) -> Option<(ZabStore, Found)> {
        store::open(world, member)
    }

    fn restore(world: &mut World<Zab>, member: usize, store: &mut ZabStore) -> Option<Map<Tree>> {
        store::restore(world, member, store)
    }

    fn begin(
        world: &mut World<Zab>,
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
        world: &mut World<Zab>,
        member: usize,
        arrived: SealedSnapshot<crate::disk::SimDisk>,
        entries: Vec<Entry>,
    ) -> Option<(Snapshot, Map<Tree>)> {
        store::install(world, member, arrived, &entries)
    }

    fn net(plan: &Plan<Zab>) -> Wires {
        Wires::new(plan.members)
    }

    fn begin_links(world: &mut World<Zab>, member: usize) {
        world.net.forget(member);
    }

    fn hang_up(world: &mut World<Zab>, member: usize) {
        world.hang_up_all(member);
    }

    fn on_cut(world: &mut World<Zab>, from: usize, to: usize) {
        world.cut_between(from, to);
    }

    fn reset(world: &mut World<Zab>, one: usize, other: usize) {
        world.reset_between(one, other);
    }

    fn send(world: &mut World<Zab>, from: usize, to: usize, message: Message) {
        world.post(from, to, message);
    }

    fn send_snapshot(world: &mut World<Zab>, from: usize, to: usize, message: Message) {
        world.ship(from, to, message);
    }

    fn connect(world: &mut World<Zab>, from: usize, to: usize, link: Link) {
        if link == Link::Quorum {
            world.connect_to_leader(from, to);
        }
    }

    fn disconnect(world: &mut World<Zab>, from: usize, to: usize, link: Link) {
        if link == Link::Quorum {
            world.disconnect_from(from, to);
        }
    }

    fn discard_arrived(world: &mut World<Zab>, member: usize) {
        world.discard_sealed(member);
    }

    fn happen(world: &mut World<Zab>, happening: Happening) {
        match happening {
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

    fn lore(_plan: &Plan<Zab>) -> Lore {
        Lore::default()
    }

    fn known(members: usize) -> Known {
        Known::new(members)
    }

    fn cue(input: &Input<Message>) -> Cue {
        cue::cue(input)
    }

    fn stepped(ghost: &mut Ghost<Zab>, member: usize, _now: Instant, cue: Cue, outputs: &[Said<Zab>], core: &zab::Zab) {
        core.check();
        ghost.take_in(member, cue, outputs, core);
    }

    fn promised(ghost: &mut Ghost<Zab>, member: usize, before: Promise, promise: Promise) {
        ghost.check_epochs(member, before, promise);
    }

    fn promise_synced(_ghost: &mut Ghost<Zab>, _member: usize, _promise: Promise) {}

    fn may_find(synced: Promise, found: Promise, last: Position) -> bool {
        // Whoever has a transaction of an epoch has all that the epoch began with: a start completes `currentEpoch.tmp`.
        found.epoch >= synced.epoch && found.current == last.epoch
    }

    fn excused_changes(ghost: &Ghost<Zab>) -> u64 {
        ghost.lore.epochs_full
    }

    fn calm_needs_quiet(config: &Config) -> bool {
        config.zab.epoch_entries_max < 1 << 20
    }

    fn is_fresh(ghost: &Ghost<Zab>, member: usize) -> bool {
        // SYNC asks the leader, and the leader asks nobody: one that was replaced and has not noticed answers from its own epoch
        // (so does Java's).
        ghost.last_led <= ghost.members[member].term
    }

    fn started(ghost: &mut Ghost<Zab>, member: usize, _found: &Found) {
        ghost.members[member].own = Known::new(ghost.members.len());
    }

    fn committed_more(_ghost: &mut Ghost<Zab>, _member: usize, _fact: Fact) {}

    fn op_of(entry: &Entry) -> u64 {
        form::op_of(entry)
    }

    fn follows(before: Position, next: Position) -> bool {
        let same_epoch = next.epoch == before.epoch && next.index == before.index + 1;
        same_epoch || next.epoch > before.epoch && next.index == 1
    }

    fn began_to_lead(_world: &mut World<Zab>, _member: usize, _epoch: u64) {}
}
