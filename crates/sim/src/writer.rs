//! The disk's side of a process: the log's thread, which syncs everything that waits at once, and snapshots being taken.

use crate::fault::Fault;
use crate::invariant::Invariant;
use crate::machine::Face;
use crate::member::{Done, Job, Work};
use crate::subject::{Machine, Store, Subject};
use crate::world::World;
use bytes::Bytes;
use consensus::{Entry, Restore, Snapshot, StateMachine, Ticket};
use replica::Event;
use std::time::Duration;

impl<P: Subject> World<P> {
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
                if self.process(member).store.taking() == Some(position) {
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
                        break process.store.write(&batch);
                    }
                }
                Some(Job::Cut(upto)) => {
                    let cut = process.store.cut(upto);
                    if cut.is_err() {
                        break cut;
                    }
                }
                Some(install @ Job::Install(..)) => {
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
        if let Err(fault) = self.process(member).store.sync() {
            return self.disk_failed(member, &fault);
        }
        self.trace
            .note(self.now, (member as u64) << 8 | 4 | ticket.0 << 16, || format!("m{} synced ticket {}", member + 1, ticket.0));
        self.ghost.borrow_mut().synced(member, ticket);
        self.feed(member, Event::Persisted(ticket));
    }

    /// The replica decided for the snapshot that arrived: it comes after what was to be persisted before.
    pub(crate) fn install(&mut self, member: usize, entries: Vec<Entry>) {
        match self.process(member).arrived.take() {
            Some(arrived) => self.give_job(member, Job::Install(arrived, entries)),
            None => self
                .violate(Invariant::SnapshotsAreWhole, format!("member {} installs a snapshot that never arrived", member + 1)),
        }
    }

    fn end_install(&mut self, member: usize) {
        let Some(Job::Install(arrived, entries)) = self.process(member).jobs.pop_front() else {
            unreachable!("the job stayed in front")
        };
        let Some((snapshot, machine)) = P::install(self, member, arrived, entries) else { return };
        self.trace.note(self.now, (member as u64) << 8 | 5, || {
            format!("m{} installed the snapshot of {}", member + 1, snapshot.position)
        });
        self.feed(member, Event::Installed { snapshot, machine });
    }

    /// The machine that a snapshot holds, from its pieces. `None` if they hold none.
    pub(crate) fn restore(&mut self, member: usize, chunks: Vec<Bytes>) -> Option<Machine<P>>
    where
        Machine<P>: Restore,
    {
        match Machine::<P>::restore(&mut chunks.into_iter()) {
            Ok(machine) => {
                self.ghost.borrow_mut().restored(member, machine.applied(), machine.digest());
                Some(self.watched(member, machine))
            }
            Err(why) => {
                self.violate(Invariant::SnapshotsAreWhole, format!("member {}: {why}", member + 1));
                None
            }
        }
    }

    pub(crate) fn write_snapshot(&mut self, member: usize, snapshot: &Snapshot, chunk: &Bytes) {
        if let Err(fault) = self.process(member).store.write_chunk(snapshot, chunk) {
            return self.disk_failed(member, &fault);
        }
        let latency = self.chance.between(Duration::from_micros(10), Duration::from_millis(1));
        self.disk_in(member, latency, Done::ChunkWritten(snapshot.position));
    }

    fn publish(&mut self, member: usize, snapshot: Snapshot) {
        let kept = self.plan.snapshots_kept;
        let store = &mut self.process(member).store;
        if store.taking() != Some(snapshot.position) {
            return;
        }
        match store.publish(kept) {
            Ok(()) => {
                self.trace.note(self.now, (member as u64) << 8 | 6, || {
                    format!("m{} took a snapshot of {}", member + 1, snapshot.position)
                });
                self.ghost.borrow_mut().snapshot_saved(member, snapshot.position);
                self.feed(member, Event::SnapshotSaved(snapshot));
            }
            Err(fault) => self.disk_failed(member, &fault),
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
