//! A snapshot on its way from one member to another: whole, or not at all.

use crate::on_raft::kept::{Kept, Sendable};
use crate::on_raft::links::Happening;
use crate::on_raft::{Raft, Stack};
use crate::world::{Occasion, World, id};
use bytes::Bytes;
use consensus::Snapshot;
use raft::{Body, Message};
use replica::Event;
use std::fmt;
use std::time::Duration;

/// A snapshot on its way.
pub(crate) struct Shipment {
    from: usize,
    from_life: u64,
    to: usize,
    /// Tells shipments apart.
    number: u64,
    stage: Stage,
}

/// How far it has come.
enum Stage {
    /// Its bytes travel.
    Travels { message: Message, snapshot: Snapshot, chunks: Vec<Bytes>, losses: u64 },
    /// The receiver has written it, and syncs it.
    Settles { message: Message, life: u64 },
    /// The sender hears how it ended.
    Ended { delivered: bool },
}

impl fmt::Debug for Shipment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shipment {} from {} to {}", self.number, self.from, self.to)
    }
}

impl Shipment {
    /// Whose process has to run for it to go on.
    pub(crate) fn waits_for(&self) -> usize {
        if matches!(self.stage, Stage::Ended { .. }) { self.from } else { self.to }
    }
}

impl<S: Stack> World<Raft<S>> {
    /// Sends the newest snapshot.
    pub(crate) fn ship(&mut self, from: usize, to: usize, message: Message) {
        let (from_life, number) = (self.members[from].life, self.chance.draw());
        let shipment = |stage| Box::new(Shipment { from, from_life, to, number, stage });
        let newest = match self.process(from).store.kept.newest() {
            Ok(newest) => newest,
            Err(failure) => return self.keeping_failed(from, &failure),
        };
        let Some(Sendable { standing, chunks }) = newest else {
            return self
                .after(Duration::from_millis(1), Occasion::Link(Happening::Ship(shipment(Stage::Ended { delivered: false }))));
        };
        let configuration = standing.configuration.unwrap_or_else(|| self.plan.configuration());
        let snapshot = Snapshot { position: standing.position, configuration };
        // What is sent is the newest, even if that is newer than what was asked for.
        let message = Message { term: message.term, body: Body::InstallSnapshot { snapshot: snapshot.clone() } };
        let losses = self.net.end(from, to).losses;
        let slow = if self.chance.one_in(1, 5) { 2_000 } else { 50 };
        let travel = self.chance.between(Duration::from_millis(1), Duration::from_millis(slow));
        self.trace.note(self.now, (from << 8 | to << 16 | 14) as u64, || {
            format!("m{} sends m{} a snapshot of {}", from + 1, to + 1, snapshot.position)
        });
        self.after(travel, Occasion::Link(Happening::Ship(shipment(Stage::Travels { message, snapshot, chunks, losses }))));
    }

    pub(crate) fn on_ship(&mut self, shipment: Box<Shipment>) {
        let Shipment { from, from_life, to, number, stage } = *shipment;
        let back = |stage| Occasion::Link(Happening::Ship(Box::new(Shipment { from, from_life, to, number, stage })));
        match stage {
            Stage::Travels { message, snapshot, chunks, losses } => {
                let stands = self.net.end(from, to).losses == losses;
                let passes = self.network.passes(from, to) && stands && self.members[to].process.is_some();
                if !passes || !self.receive(from, to, number, snapshot, &chunks) {
                    return self.after(Duration::from_millis(200), back(Stage::Ended { delivered: false }));
                }
                let (latency, life) = (self.sync_latency(to), self.members[to].life);
                self.after(latency, back(Stage::Settles { message, life }));
            }
            Stage::Settles { message, life } => {
                let delivered = self.lives(to, life) && self.settle(from, to, number, message);
                self.after(Duration::from_millis(1), back(Stage::Ended { delivered }));
            }
            Stage::Ended { delivered } => {
                if self.lives(from, from_life) {
                    self.feed(from, Event::SnapshotSent { to: id(to), delivered });
                }
            }
        }
    }

    fn receive(&mut self, from: usize, to: usize, number: u64, snapshot: Snapshot, chunks: &[Bytes]) -> bool {
        let store = &mut self.process(to).store;
        // One that has begun to arrive and is not whole gives way.
        store.receiving.remove(&from);
        match store.kept.receive(id(from), snapshot, chunks) {
            Ok(writing) => {
                store.receiving.insert(from, (number, writing));
                true
            }
            Err(failure) => {
                self.keeping_failed(to, &failure);
                false
            }
        }
    }

    /// The snapshot is here whole. False if another took its place meanwhile, or the disk failed.
    fn settle(&mut self, from: usize, to: usize, number: u64, message: Message) -> bool {
        let process = self.process(to);
        if process.store.receiving.get(&from).is_none_or(|(receiving, _)| *receiving != number) {
            return false;
        }
        let Some((_, writing)) = process.store.receiving.remove(&from) else { return false };
        let sealed = match S::Kept::seal(writing) {
            Ok(sealed) => sealed,
            Err(failure) => {
                self.keeping_failed(to, &failure);
                return false;
            }
        };
        self.process(to).arrived = Some(sealed);
        let life = self.members[to].life;
        self.feed(to, Event::SnapshotArrived { from: id(from), message });
        if self.lives(to, life) {
            self.discard_arrived(to);
        }
        true
    }

    /// The replica does not want the snapshot that arrived.
    pub(crate) fn discard_arrived(&mut self, member: usize) {
        if let Some(sealed) = self.process(member).arrived.take()
            && let Err(fault) = S::Kept::discard(sealed)
        {
            self.disk_failed(member, &fault);
        }
    }
}
