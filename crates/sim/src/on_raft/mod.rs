//! Raft under test: its settings, its links, its storage, and what must hold of it in particular.

mod config;
mod cue;
mod invariant;
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
use crate::machine::{Bare, Map};
use crate::options::SimOptions;
use crate::plan::Plan;
use crate::subject::{Said, Subject};
use crate::world::{World, id};
use consensus::{Chance, Configuration, Entry, Input, Instant, Link, Position, Promise, Snapshot};
use cue::Cue;
use links::{Happening, Net};
use lore::{Known, Lore};
use raft::Message;
use std::time::Duration;
use storage::SealedSnapshot;
use store::RaftStore;

/// Raft, as a subject of the simulator.
pub(crate) struct Raft;

impl Subject for Raft {
    type Core = raft::Raft;
    type Codec = MapCodec;
    type Machine = Map<Bare>;
    type Company = ();
    type Config = raft::Config;
    type Cue = Cue;
    type Lore = Lore;
    type Known = Known;
    type Net = Net;
    type Happening = Happening;
    type Store = RaftStore;

    const EPOCH: &str = "term";
    const SESSIONS: bool = false;
    const OUTPUTS_MAX: usize = 20_000;
    const SNAPSHOTS_ARE_COMMITTED: bool = true;

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

    fn codec() -> MapCodec {
        MapCodec
    }

    fn open(world: &mut World<Raft>, member: usize) -> Option<(RaftStore, Found)> {
        store::open(world, member)
    }

    fn begin(
        world: &mut World<Raft>,
        member: usize,
        found: &Found,
        _store: &mut RaftStore,
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

    fn restore(world: &mut World<Raft>, member: usize, store: &mut RaftStore) -> Option<Map<Bare>> {
        store::restore(world, member, store)
    }

    fn abstains(core: &raft::Raft) -> bool {
        core.abstains()
    }

    fn install(
        world: &mut World<Raft>,
        member: usize,
        arrived: SealedSnapshot<crate::disk::SimDisk>,
        _entries: Vec<Entry>,
    ) -> Option<(Snapshot, Map<Bare>)> {
        store::install(world, member, arrived)
    }

    fn net(plan: &Plan<Raft>) -> Net {
        Net::new(plan.members)
    }

    fn begin_links(world: &mut World<Raft>, member: usize) {
        world.begin_links(member);
    }

    fn hang_up(world: &mut World<Raft>, member: usize) {
        world.hang_up(member);
    }

    fn on_cut(world: &mut World<Raft>, from: usize, to: usize) {
        world.watch_link(from, to);
        world.watch_link(to, from);
    }

    fn reset(world: &mut World<Raft>, one: usize, other: usize) {
        world.reset_link(one, other);
    }

    fn send(world: &mut World<Raft>, from: usize, to: usize, message: Message) {
        world.send_message(from, to, message);
    }

    fn send_snapshot(world: &mut World<Raft>, from: usize, to: usize, message: Message) {
        world.ship(from, to, message);
    }

    fn connect(_world: &mut World<Raft>, _from: usize, _to: usize, _link: Link) {
        unreachable!("Raft's links stand by themselves")
    }

    fn disconnect(_world: &mut World<Raft>, _from: usize, _to: usize, _link: Link) {
        unreachable!("Raft's links stand by themselves")
    }

    fn discard_arrived(world: &mut World<Raft>, member: usize) {
        world.discard_arrived(member);
    }

    fn happen(world: &mut World<Raft>, happening: Happening) {
        match happening {
            Happening::Deliver { from, to, from_life, losses, message } => world.on_deliver(from, to, from_life, losses, message),
            Happening::Dial { at, peer, life } => world.on_dial(at, peer, life),
            Happening::Hangup { at, peer, life, peer_life } => world.on_hangup(at, peer, life, peer_life),
            Happening::LinkTimeout { at, peer, life } => world.on_link_timeout(at, peer, life),
            Happening::Ship(shipment) => world.on_ship(shipment),
        }
    }

    fn lore(plan: &Plan<Raft>) -> Lore {
        Lore::new(plan)
    }

    fn known(members: usize) -> Known {
        Known::new(members)
    }

    fn cue(input: &Input<Message>) -> Cue {
        cue::cue(input)
    }

    fn stepped(ghost: &mut Ghost<Raft>, member: usize, now: Instant, cue: Cue, outputs: &[Said<Raft>], core: &raft::Raft) {
        ghost.take_in(member, now, cue, outputs, core);
    }

    fn promised(ghost: &mut Ghost<Raft>, member: usize, before: Promise, promise: Promise) {
        ghost.check_vote(member, before, promise);
    }

    fn promise_synced(ghost: &mut Ghost<Raft>, member: usize, promise: Promise) {
        ghost.vote_synced(member, promise);
    }

    fn started(ghost: &mut Ghost<Raft>, member: usize, found: &Found) {
        let own = &mut ghost.members[member].own;
        own.told_to_stand = 0;
        own.lives.fill(0);
        own.asked.fill([(0, Position::ZERO); 2]);
        ghost.remember_votes(member, found.promise);
    }

    fn committed_more(ghost: &mut Ghost<Raft>, member: usize, fact: Fact) {
        ghost.check_counting(member, fact);
    }

    fn op_of(entry: &Entry) -> u64 {
        crate::codec::op_of(entry)
    }

    fn follows(before: Position, next: Position) -> bool {
        next.index == before.index + 1 && next.epoch >= before.epoch
    }

    fn began_to_lead(world: &mut World<Raft>, member: usize, epoch: u64) {
        world.check_leases(member, epoch);
    }
}
