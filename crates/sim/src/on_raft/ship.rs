//! A snapshot on its way from one member to another: whole, or not at all.

use crate::disk::SimDisk;
use crate::on_raft::Raft;
use crate::on_raft::links::Happening;
use crate::on_raft::store::read_all;
use crate::world::{Occasion, World, id};
use bytes::Bytes;
use consensus::Snapshot;
use raft::{Body, Message};
use replica::Event;
use std::fmt;
use std::time::Duration;
use storage::SnapshotWriter;

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
    Settles { message: Message, life: u64, writer: SnapshotWriter<SimDisk> },
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

impl World<Raft> {
    /// Sends the newest snapshot.
    pub(crate) fn ship(&mut self, from: usize, to: usize, message: Message) {
        let (from_life, number) = (self.members[from].life, self.chance.draw());
        let shipment = |stage| Box::new(Shipment { from, from_life, to, number, stage });
        let Some(newest) = self.process(from).store.newest.clone() else {
            return self
                .after(Duration::from_millis(1), Occasion::Link(Happening::Ship(shipment(Stage::Ended { delivered: false }))));
        };
        let chunks = match read_all(&newest) {
            Ok(chunks) => chunks,
            Err(error) => return self.snapshot_failed(from, &error),
        };
        let snapshot = newest.snapshot().clone();
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
                if !passes {
                    return self.after(Duration::from_millis(200), back(Stage::Ended { delivered: false }));
                }
                let Some(writer) = self.receive(from, to, number, snapshot, &chunks) else {
                    return self.after(Duration::from_millis(200), back(Stage::Ended { delivered: false }));
                };
                let (latency, life) = (self.sync_latency(to), self.members[to].life);
                self.after(latency, back(Stage::Settles { message, life, writer }));
            }
            Stage::Settles { message, life, writer } => {
                let delivered = self.lives(to, life) && self.settle(from, to, number, message, writer);
                self.after(Duration::from_millis(1), back(Stage::Ended { delivered }));
            }
            Stage::Ended { delivered } => {
                if self.lives(from, from_life) {
                    self.feed(from, Event::SnapshotSent { to: id(to), delivered });
                }
            }
        }
    }

    fn receive(
        &mut self,
        from: usize,
        to: usize,
        number: u64,
        snapshot: Snapshot,
        chunks: &[Bytes],
    ) -> Option<SnapshotWriter<SimDisk>> {
        let store = &mut self.process(to).store;
        store.receiving.insert(from, number);
        let written = store.snapshots.receive(id(from), snapshot).and_then(|mut writer| {
            chunks.iter().try_for_each(|chunk| writer.write(chunk))?;
            Ok(writer)
        });
        match written {
            Ok(writer) => Some(writer),
            Err(fault) => {
                self.disk_failed(to, &fault);
                None
            }
        }
    }

    /// The snapshot is here whole. False if another took its place meanwhile, or the disk failed.
    fn settle(&mut self, from: usize, to: usize, number: u64, message: Message, writer: SnapshotWriter<SimDisk>) -> bool {
        let process = self.process(to);
        if process.store.receiving.get(&from) != Some(&number) {
            return false;
        }
        process.store.receiving.remove(&from);
        let sealed = match writer.finish() {
            Ok(sealed) => sealed,
            Err(fault) => {
                self.disk_failed(to, &fault);
                return false;
            }
        };
        process.arrived = Some(sealed);
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
            && let Err(fault) = sealed.discard()
        {
            self.disk_failed(member, &fault);
        }
    }
}
