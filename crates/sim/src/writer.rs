//! The disk's side of a process: the log's thread, which syncs everything that waits at once, and snapshots being taken.

use crate::fault::Fault;
use crate::invariant::Invariant;
use crate::machine::Map;
use crate::member::{Done, Job, Work};
use crate::world::World;
use bytes::Bytes;
use consensus::{Snapshot, StateMachine, Ticket};
use replica::Event;
use std::time::Duration;
use storage::{DurableSnapshot, SnapshotError};

impl World {
    /// The disk is done with something that a process waits for.
    pub(crate) fn on_disk(&mut self, member: usize, life: u64, done: Done) {
        if !self.lives(member, life) {
            return;
        }
        match done {
            Done::Wake => self.take_jobs(member),
            Done::Synced => self.end_work(member),
            Done::Fetched(reader, entries) => self.feed(member, Event::Fetched { reader, entries }),
            Done::ChunkWritten(position) => {
                if self.process(member).taking.as_ref().is_some_and(|taking| taking.0 == position) {
                    self.feed(member, Event::SnapshotChunkWritten);
                }
            }
            Done::Publish(snapshot) => self.publish(member, snapshot),
        }
    }

    /// The log's thread picks up everything that waits, writes it and begins a sync.
    fn take_jobs(&mut self, member: usize) {
        let process = self.process(member);
        let mut batch = Vec::new();
        let written = loop {
            match process.jobs.pop_front() {
                Some(Job::Persist(persist)) => {
                    batch.push(persist);
                    if !matches!(process.jobs.front(), Some(Job::Persist(_))) {
                        process.work = Work::Syncing(batch.last().map_or(Ticket(0), |last| last.ticket));
                        break process.log.write(&batch);
                    }
                }
                Some(Job::Cut(upto)) => {
                    let Some(newest) = &process.newest else { continue };
                    let cut = process.log.cut(upto.min(newest.snapshot().position.index), newest);
                    if cut.is_err() {
                        break cut;
                    }
                }
                Some(install @ Job::Install(_)) => {
                    process.jobs.push_front(install);
                    process.work = Work::Installing;
                    break Ok(());
                }
                None => {
                    process.work = Work::Idle;
                    break Ok(());
                }
            }
        };
        let idle = process.work == Work::Idle;
        if let Err(fault) = written {
            return self.disk_failed(member, &fault);
        }
        if !idle {
            let latency = self.sync_latency(member);
            self.disk_in(member, latency, Done::Synced);
        }
    }

    /// What the log's thread was about is done.
    fn end_work(&mut self, member: usize) {
        let life = self.members[member].life;
        match self.process(member).work {
            Work::Syncing(ticket) => self.end_sync(member, ticket),
            Work::Installing => self.end_install(member),
            Work::Idle | Work::Waking => unreachable!("only work ends"),
        }
        if self.lives(member, life) {
            self.take_jobs(member);
        }
    }

    fn end_sync(&mut self, member: usize, ticket: Ticket) {
        if let Err(fault) = self.process(member).log.sync() {
            return self.disk_failed(member, &fault);
        }
        self.trace
            .note(self.now, (member as u64) << 8 | 4 | ticket.0 << 16, || format!("m{} synced ticket {}", member + 1, ticket.0));
        self.ghost.borrow_mut().synced(member, ticket);
        self.feed(member, Event::Persisted(ticket));
    }

    /// The replica decided for the snapshot that arrived: it comes after what was to be persisted before.
    pub(crate) fn install(&mut self, member: usize) {
        match self.process(member).arrived.take() {
            Some(sealed) => self.give_job(member, Job::Install(sealed)),
            None => self
                .violate(Invariant::SnapshotsAreWhole, format!("member {} installs a snapshot that never arrived", member + 1)),
        }
    }

    fn end_install(&mut self, member: usize) {
        let kept = self.plan.snapshots_kept;
        let process = self.process(member);
        let Some(Job::Install(sealed)) = process.jobs.pop_front() else { unreachable!("the job stayed in front") };
        let durable = match process.log.install(sealed) {
            Ok(durable) => durable,
            Err(fault) => return self.disk_failed(member, &fault),
        };
        process.newest = Some(durable.clone());
        if let Err(fault) = process.snapshots.remove_older(kept) {
            return self.disk_failed(member, &fault);
        }
        let Some(machine) = self.restore(member, &durable) else { return };
        let snapshot = durable.snapshot().clone();
        self.trace.note(self.now, (member as u64) << 8 | 5, || {
            format!("m{} installed the snapshot of {}", member + 1, snapshot.position)
        });
        self.feed(member, Event::Installed { snapshot, machine });
    }

    /// The machine that a snapshot holds. `None` if the process did not survive reading it.
    pub(crate) fn restore(&mut self, member: usize, durable: &DurableSnapshot<crate::disk::SimDisk>) -> Option<Map> {
        let chunks = match read_all(durable) {
            Ok(chunks) => chunks,
            Err(error) => {
                self.snapshot_failed(member, &error);
                return None;
            }
        };
        match Map::restore(&mut chunks.into_iter()) {
            Ok(mut machine) => {
                self.ghost.borrow_mut().restored(member, machine.applied(), machine.digest());
                machine.watch(member, self.ghost.clone());
                Some(machine)
            }
            Err(why) => {
                self.violate(Invariant::SnapshotsAreWhole, format!("member {}: {why}", member + 1));
                None
            }
        }
    }

    pub(crate) fn write_snapshot(&mut self, member: usize, snapshot: Snapshot, chunk: &Bytes) {
        let position = snapshot.position;
        let process = self.process(member);
        if process.taking.as_ref().is_none_or(|taking| taking.0 != position) {
            match process.snapshots.take(snapshot) {
                Ok(writer) => process.taking = Some((position, writer)),
                Err(fault) => return self.disk_failed(member, &fault),
            }
        }
        let (_, writer) = process.taking.as_mut().expect("begun above");
        match writer.write(chunk) {
            Ok(()) => {
                let latency = self.chance.between(Duration::from_micros(10), Duration::from_millis(1));
                self.disk_in(member, latency, Done::ChunkWritten(position));
            }
            Err(fault) => self.disk_failed(member, &fault),
        }
    }

    fn publish(&mut self, member: usize, snapshot: Snapshot) {
        let kept = self.plan.snapshots_kept;
        let process = self.process(member);
        let Some((_, writer)) = process.taking.take_if(|taking| taking.0 == snapshot.position) else { return };
        let published = writer.finish().and_then(|sealed| sealed.publish()).and_then(|durable| {
            process.snapshots.remove_older(kept)?;
            Ok(durable)
        });
        match published {
            Ok(durable) => {
                let newest = process.newest.as_ref().map_or(0, |newest| newest.snapshot().position.index);
                if snapshot.position.index > newest {
                    process.newest = Some(durable);
                }
                self.trace.note(self.now, (member as u64) << 8 | 6, || {
                    format!("m{} took a snapshot of {}", member + 1, snapshot.position)
                });
                self.ghost.borrow_mut().snapshot_saved(member, snapshot.position);
                self.feed(member, Event::SnapshotSaved(snapshot));
            }
            Err(fault) => self.disk_failed(member, &fault),
        }
    }

    pub(crate) fn snapshot_failed(&mut self, member: usize, error: &SnapshotError) {
        match error {
            SnapshotError::Fault(fault) => self.disk_failed(member, fault),
            damaged => {
                self.violate(Invariant::SnapshotsAreWhole, format!("member {}: {damaged}", member + 1));
            }
        }
    }

    /// A disk operation failed: the process says so and stops.
    pub(crate) fn disk_failed(&mut self, member: usize, error: &dyn std::fmt::Display) {
        let cause = self.members[member].disk.cause();
        let line = || format!("m{}: {error}", member + 1);
        match cause {
            Some(crate::disk::Cause::Dark) => self.fault(Fault::CrashInWrite, line),
            Some(crate::disk::Cause::Sync) => self.fault(Fault::FailedSync, line),
            Some(crate::disk::Cause::Write) => self.fault(Fault::FailedWrite, line),
            Some(crate::disk::Cause::Read) => self.fault(Fault::FailedRead, line),
            None => return self.violate(Invariant::NoCrash, format!("member {} stopped without cause: {error}", member + 1)),
        }
        // After a failed sync the page cache lies: only what is on the disk counts.
        let power = !matches!(cause, Some(crate::disk::Cause::Read | crate::disk::Cause::Write));
        self.crash(member, power);
    }

    pub(crate) fn sync_latency(&mut self, member: usize) -> Duration {
        let member = &mut self.members[member];
        member.chance.between(member.sync.0, member.sync.1) + std::mem::take(&mut member.stuck)
    }
}

/// All pieces of a snapshot.
pub(crate) fn read_all(durable: &DurableSnapshot<crate::disk::SimDisk>) -> Result<Vec<Bytes>, SnapshotError> {
    let mut reader = durable.read()?;
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next_chunk()? {
        chunks.push(chunk);
    }
    Ok(chunks)
}
