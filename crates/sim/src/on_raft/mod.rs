//! Raft under test: its settings, its links, its storage, and what must hold of it in particular.

mod config;
mod cue;
mod in_snapshots;
mod invariant;
mod kept;
mod kv;
mod links;
mod lore;
mod observe;
mod send;
mod ship;
mod store;
mod words;

use crate::codec::MapCodec;
use crate::fault::Fault;
use crate::ghost::Ghost;
use crate::history::Fact;
use crate::invariant::durable::Found;
use crate::linear::Done;
use crate::machine::{Bare, Face, Map};
use crate::options::SimOptions;
use crate::plan::Plan;
use crate::subject::{ResponseOf, Said, Subject};
use crate::world::{World, id};
use consensus::{Chance, Configuration, Entry, Input, Instant, Link, Position, Promise, Snapshot};
use cue::Cue;
use in_snapshots::InSnapshots;
use kept::Kept;
use links::{Happening, Net};
use lore::{Known, Lore};
use raft::Message;
use replica::Answer;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;
use store::RaftStore;

/// Raft, as a subject of the simulator.
pub(crate) struct Raft<S>(PhantomData<S>);

/// What Raft replicates.
pub(crate) trait Stack: Sized + 'static {
    /// The state machine.
    type Machine: Face;
    /// How its commands become bytes.
    type Codec: replica::Codec<Machine = Self::Machine>;
    /// What a member keeps it in.
    type Kept: Kept<Machine = Self::Machine>;
    /// See [`Subject::Company`].
    type Company: Default;

    /// See [`Subject::KEEPS_FILES`].
    const KEEPS_FILES: bool = false;

    /// Between its commands and bytes.
    fn codec() -> Self::Codec;
    /// A machine to which nothing was applied, where nothing was kept.
    fn fresh() -> Self::Machine;
    /// The number of the operation that an entry carries; 0 if none.
    fn op_of(entry: &Entry) -> u64;
    /// A machine is about to be that of a member's process.
    fn adopt(_world: &World<Raft<Self>>, _member: usize, _machine: &mut Self::Machine) {}
    /// See [`Subject::gather`].
    fn gather(_world: &mut World<Raft<Self>>) {}
    /// See [`Subject::answer_company`].
    fn answer_company(_world: &mut World<Raft<Self>>, _member: usize, _token: u64, _answer: Answer<ResponseOf<Raft<Self>>>) {}
    /// See [`Subject::turned`].
    fn turned(_world: &mut World<Raft<Self>>, _member: usize) {}
    /// See [`Subject::company_in_calm`].
    fn company_in_calm(_world: &mut World<Raft<Self>>, _core: &[usize]) {}
    /// See [`Subject::done_by_company`].
    fn done_by_company(_world: &World<Raft<Self>>) -> Vec<Done> {
        Vec::new()
    }
    /// See [`Subject::tally`].
    fn tally(_world: &World<Raft<Self>>) -> BTreeMap<&'static str, u64> {
        BTreeMap::new()
    }
    /// See [`Subject::is_whole`].
    fn is_whole(_world: &mut World<Raft<Self>>, _member: usize) -> bool {
        true
    }
    /// See [`Subject::settle_replica`].
    fn settle_replica(_options: &mut replica::Options) {}
    /// Something that one of the company was to do is due.
    fn act(_world: &mut World<Raft<Self>>, _errand: u64) {}
}

/// The small map.
pub(crate) struct Registers;
pub(crate) use kv::Etcd;

impl Stack for Registers {
    type Machine = Map<Bare>;
    type Codec = MapCodec;
    type Kept = InSnapshots<Map<Bare>>;
    type Company = ();

    fn codec() -> MapCodec {
        MapCodec
    }

    fn fresh() -> Map<Bare> {
        Map::new()
    }

    fn op_of(entry: &Entry) -> u64 {
        crate::codec::op_of(entry)
    }
}

impl<S: Stack> Subject for Raft<S> {
    type Core = raft::Raft;
    type Codec = S::Codec;
    type Machine = S::Machine;
    type Company = S::Company;
    type Config = raft::Config;
    type Cue = Cue;
    type Lore = Lore;
    type Known = Known;
    type Net = Net;
    type Happening = Happening;
    type Store = RaftStore<S::Kept>;

    const EPOCH: &str = "term";
    const SESSIONS: bool = false;
    const OUTPUTS_MAX: usize = 20_000;
    const SNAPSHOTS_ARE_COMMITTED: bool = true;
    const KEEPS_FILES: bool = S::KEEPS_FILES;

    fn draw_config(options: &SimOptions, chance: &mut Chance) -> raft::Config {
        config::draw(options, chance)
    }

    fn settle_config(config: &mut raft::Config, chance: &mut Chance) {
        config.message_bytes_max = [1 << 20, 4_000, 600][chance.below(3) as usize];
    }

    fn suits(config: &raft::Config, fault: Fault) -> bool {
        config::suits(config, fault)
    }

    fn drift(config: &raft::Config) -> u64 {
        if config.lease_reads { 4 } else { 50 }
    }

    fn headline(config: &raft::Config) -> String {
        format!("lease reads {}", config.lease_reads)
    }

    fn election_timeout(config: &raft::Config) -> Duration {
        config.election_timeout
    }

    fn codec() -> S::Codec {
        S::codec()
    }

    fn gather(world: &mut World<Raft<S>>) {
        S::gather(world);
    }

    fn answer_company(world: &mut World<Raft<S>>, member: usize, token: u64, answer: Answer<ResponseOf<Raft<S>>>) {
        S::answer_company(world, member, token, answer);
    }

    fn turned(world: &mut World<Raft<S>>, member: usize) {
        S::turned(world, member);
    }

    fn tally(world: &World<Raft<S>>) -> BTreeMap<&'static str, u64> {
        S::tally(world)
    }

    fn is_whole(world: &mut World<Raft<S>>, member: usize) -> bool {
        S::is_whole(world, member)
    }

    fn settle_replica(options: &mut replica::Options) {
        S::settle_replica(options);
    }

    fn company_in_calm(world: &mut World<Raft<S>>, core: &[usize]) {
        S::company_in_calm(world, core);
    }

    fn done_by_company(world: &World<Raft<S>>) -> Vec<Done> {
        S::done_by_company(world)
    }

    fn open(world: &mut World<Raft<S>>, member: usize) -> Option<(RaftStore<S::Kept>, Found)> {
        store::open(world, member)
    }

    fn begin(
        world: &mut World<Raft<S>>,
        member: usize,
        found: &Found,
        _store: &mut RaftStore<S::Kept>,
        configuration: &Configuration,
        now: Instant,
    ) -> raft::Raft {
        let recovered = raft::Recovered {
            promise: found.promise,
            base: found.base,
            terms: found.runs.iter().map(|(first, _)| (first.index, first.epoch)).collect(),
            last: found.last.index,
            applied: found.applied,
            configuration: configuration.clone(),
        };
        let it = &mut world.members[member];
        // Damage at the very end of a log looks like a torn tail. Whoever mends a disk tells its member to abstain.
        let config = raft::Config { id: id(member), abstains: it.damaged, ..world.plan.config.clone() };
        raft::Raft::new(config, recovered, it.chance.draw(), now)
    }

    fn describe_start(found: &Found) -> String {
        let Promise { epoch, vote, committed, .. } = found.promise;
        let vote = vote.map_or_else(|| "its vote not given".to_owned(), |vote| format!("its vote given to m{vote}"));
        format!(
            "in term {epoch}, {vote}, knowing of {committed} committed entries, with a log from {} to {} and a snapshot of {}",
            found.base, found.last.index, found.applied
        )
    }

    fn restore(world: &mut World<Raft<S>>, member: usize, store: &mut RaftStore<S::Kept>) -> Option<S::Machine> {
        store::restore(world, member, store)
    }

    fn abstains(core: &raft::Raft) -> bool {
        core.abstains()
    }

    fn install(
        world: &mut World<Raft<S>>,
        member: usize,
        arrived: <S::Kept as Kept>::Sealed,
        _entries: Vec<Entry>,
    ) -> Option<(Snapshot, S::Machine)> {
        store::install(world, member, arrived)
    }

    fn net(plan: &Plan<Raft<S>>) -> Net {
        Net::new(plan.members)
    }

    fn begin_links(world: &mut World<Raft<S>>, member: usize) {
        world.begin_links(member);
    }

    fn hang_up(world: &mut World<Raft<S>>, member: usize) {
        world.hang_up(member);
    }

    fn on_cut(world: &mut World<Raft<S>>, from: usize, to: usize) {
        world.watch_link(from, to);
        world.watch_link(to, from);
    }

    fn reset(world: &mut World<Raft<S>>, one: usize, other: usize) {
        world.reset_link(one, other);
    }

    fn send(world: &mut World<Raft<S>>, from: usize, to: usize, message: Message) {
        world.send_message(from, to, message);
    }

    fn send_snapshot(world: &mut World<Raft<S>>, from: usize, to: usize, message: Message) {
        world.ship(from, to, message);
    }

    fn connect(_world: &mut World<Raft<S>>, _from: usize, _to: usize, _link: Link) {
        unreachable!("Raft's links stand by themselves")
    }

    fn disconnect(_world: &mut World<Raft<S>>, _from: usize, _to: usize, _link: Link) {
        unreachable!("Raft's links stand by themselves")
    }

    fn discard_arrived(world: &mut World<Raft<S>>, member: usize) {
        world.discard_arrived(member);
    }

    fn happen(world: &mut World<Raft<S>>, happening: Happening) {
        match happening {
            Happening::Deliver { from, to, from_life, losses, message } => world.on_deliver(from, to, from_life, losses, message),
            Happening::Dial { at, peer, life } => world.on_dial(at, peer, life),
            Happening::Hangup { at, peer, life, peer_life } => world.on_hangup(at, peer, life, peer_life),
            Happening::LinkTimeout { at, peer, life } => world.on_link_timeout(at, peer, life),
            Happening::Ship(shipment) => world.on_ship(shipment),
            Happening::Acts { errand, .. } => S::act(world, errand),
        }
    }

    fn lore(plan: &Plan<Raft<S>>) -> Lore {
        Lore::new(plan)
    }

    fn known(members: usize) -> Known {
        Known::new(members)
    }

    fn cue(input: &Input<Message>) -> Cue {
        cue::cue(input)
    }

    fn stepped(ghost: &mut Ghost<Raft<S>>, member: usize, now: Instant, cue: Cue, outputs: &[Said<Raft<S>>], core: &raft::Raft) {
        ghost.take_in(member, now, cue, outputs, core);
    }

    fn promised(ghost: &mut Ghost<Raft<S>>, member: usize, before: Promise, promise: Promise) {
        ghost.check_vote(member, before, promise);
    }

    fn promise_synced(ghost: &mut Ghost<Raft<S>>, member: usize, promise: Promise) {
        ghost.vote_synced(member, promise);
    }

    fn started(ghost: &mut Ghost<Raft<S>>, member: usize, found: &Found) {
        let own = &mut ghost.members[member].own;
        own.told_to_stand = 0;
        own.lives.fill(0);
        own.asked.fill([(0, Position::ZERO); 2]);
        ghost.remember_votes(member, found.promise);
    }

    fn committed_more(ghost: &mut Ghost<Raft<S>>, member: usize, fact: Fact) {
        ghost.check_counting(member, fact);
    }

    fn op_of(entry: &Entry) -> u64 {
        S::op_of(entry)
    }

    fn follows(before: Position, next: Position) -> bool {
        next.index == before.index + 1 && next.epoch >= before.epoch
    }

    fn began_to_lead(world: &mut World<Raft<S>>, member: usize, epoch: u64) {
        world.check_leases(member, epoch);
    }
}
