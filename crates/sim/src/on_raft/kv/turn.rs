//! What the server's driver does beside the replica: watches after every turn, then the sweep; flushes; pages of the past.

use super::Land;
use super::data::failure;
use crate::invariant::Invariant;
use crate::member::Process;
use consensus::{Instant, Snapshot};
use keyspace::{Flush, Page, ReadPages, StreamId, Want, WatchNews, WatchOptions, WatchResponse, Watches};
use replica::Event;
use std::collections::BTreeMap;
use std::time::Duration;

/// Something that is to be done.
#[derive(Debug)]
pub(super) enum Errand {
    /// A caller acts.
    Call(usize),
    /// A lessee acts.
    Lease(usize),
    /// A viewer acts.
    View(usize),
    /// A sign of life that was forwarded reaches a member.
    Renew { who: usize, at: usize, asked: u64 },
    /// A member looks after its watches.
    Turn { at: usize, life: u64 },
    /// The same, because it is time.
    Tick { at: usize, life: u64 },
    /// A page of the past is read.
    Read { at: usize, life: u64, want: Want },
    /// It comes back.
    Supply { at: usize, life: u64, file: u64, page: Page },
    /// What changed is written.
    Flush { at: usize, life: u64, file: u64, flush: Box<Flush>, standing: Snapshot },
    /// A response reaches a viewer.
    Arrive { who: usize, stream: StreamId, response: WatchResponse },
}

impl Errand {
    /// In which process.
    pub(super) fn process(&self) -> Option<usize> {
        match self {
            Errand::Call(_) | Errand::Lease(_) | Errand::View(_) | Errand::Arrive { .. } => None,
            Errand::Renew { at, .. }
            | Errand::Turn { at, .. }
            | Errand::Tick { at, .. }
            | Errand::Read { at, .. }
            | Errand::Supply { at, .. }
            | Errand::Flush { at, .. } => Some(*at),
        }
    }
}

/// What a member's process has beside its replica.
#[derive(Debug)]
pub(super) struct Post {
    seed: u64,
    /// Which of the member's lives this is of.
    pub(super) life: u64,
    pub(super) watches: Watches,
    /// Whose a stream is, and when its last response arrives.
    pub(super) streams: BTreeMap<StreamId, (usize, Instant)>,
    turning: bool,
    tick_at: Instant,
    flushing: bool,
    /// Every watcher was synced after the last turn, of a machine in this file.
    pub(super) synced: Option<u64>,
    /// What a known mistake writes too late.
    #[cfg(feature = "mutants")]
    late: Vec<(keyspace::Revision, keyspace::Change)>,
}

/// Little room, so that much is behind.
fn options() -> WatchOptions {
    WatchOptions {
        progress_interval: Duration::from_secs(5),
        room_max: 2_000,
        room_min: 1_000,
        room_total: 6_000,
        page_bytes: 1_000,
        ..WatchOptions::default()
    }
}

impl Post {
    pub(super) fn new(seed: u64) -> Post {
        Post {
            seed,
            life: 0,
            watches: Watches::new(1, options(), seed),
            streams: BTreeMap::new(),
            turning: false,
            tick_at: Instant::NEVER,
            flushing: false,
            synced: None,
            #[cfg(feature = "mutants")]
            late: Vec::new(),
        }
    }
}

impl Land {
    /// After an event: the turn comes at once, or after some more events.
    pub(super) fn after_event(&mut self, member: usize) {
        self.enter_post(member);
        let life = self.members[member].life;
        if self.company.posts[member].turning {
            return;
        }
        if self.company.chance.one_in(2, 3) {
            self.company.posts[member].turning = true;
            let pause = self.company.chance.between(Duration::ZERO, Duration::from_millis(3));
            self.send_on(pause, Errand::Turn { at: member, life });
        } else {
            self.turn(member);
        }
    }

    /// A new process has a new post.
    pub(super) fn enter_post(&mut self, member: usize) {
        let life = self.members[member].life;
        if self.company.posts[member].life != life {
            let revision = self.process(member).replica.machine().inner.revision();
            let seed = self.company.posts[member].seed.wrapping_add(1);
            let post = Post::new(seed);
            self.company.posts[member] = Post { life, watches: Watches::new(revision, options(), seed), ..post };
        }
    }

    /// Watches, then the sweep, then whatever is to be written.
    pub(super) fn turn(&mut self, member: usize) {
        let life = self.members[member].life;
        self.sweep_first(member);
        self.look_after_watches(member);
        if !self.look_at_machine(member) {
            return;
        }
        let budget = [0, 3, 30, 300][self.company.chance.below(4) as usize];
        self.process(member).replica.machine_mut().inner.sweep(budget);
        if self.look_at_machine(member) && self.lives(member, life) {
            self.begin_flush(member);
            self.schedule_tick(member);
        }
    }

    /// A known mistake: what a compaction made unreadable goes before watchers have heard of it.
    fn sweep_first(&mut self, member: usize) {
        #[cfg(feature = "mutants")]
        if self.plan.mutant == Some(crate::options::Mutant::SweepBeforeWatches) {
            while self.process(member).replica.machine_mut().inner.sweep(1_000)
                && !self.process(member).replica.machine().inner.is_sweep_held()
            {}
        }
        #[cfg(not(feature = "mutants"))]
        let _ = member;
    }

    fn look_after_watches(&mut self, member: usize) {
        let now = self.members[member].clock.read(self.now);
        let post = &mut self.company.posts[member];
        let Some(Process { replica, store, .. }) = &self.members[member].process else { return };
        let machine = &replica.machine().inner;
        post.watches.advance(now, machine);
        let want = post.watches.replay(machine);
        if self.company.chance.one_in(1, 8) {
            post.watches.check();
        }
        let were_synced = post.synced == Some(store.kept.file_number);
        post.synced = (post.watches.behind() == 0).then_some(store.kept.file_number);
        let responses: Vec<_> = post.watches.responses().collect();
        let whole = machine.values().fault().is_none();
        if !whole {
            return;
        }
        if let Some(want) = want {
            let life = self.members[member].life;
            let pause = self.read_latency(5);
            self.send_on(pause, Errand::Read { at: member, life, want });
        }
        for (stream, response) in responses {
            if were_synced && matches!(response.what, WatchNews::Compacted { .. }) {
                let what = format!("member {} lets go of a watcher that had been told everything: {response:?}", member + 1);
                self.violate(Invariant::WatchesHearOfCompaction, what);
            }
            self.dispatch(member, stream, response);
        }
    }

    /// A response goes to its viewer, in order.
    fn dispatch(&mut self, member: usize, stream: StreamId, response: WatchResponse) {
        let travel = self.company.chance.between(Duration::from_micros(50), Duration::from_millis(2));
        let post = &mut self.company.posts[member];
        let Some((who, last)) = post.streams.get_mut(&stream) else { return };
        let at = (self.now + travel).max(*last + Duration::from_nanos(1));
        *last = at;
        let (who, after) = (*who, at.since(self.now));
        self.send_on(after, Errand::Arrive { who, stream, response });
    }

    fn schedule_tick(&mut self, member: usize) {
        let post = &mut self.company.posts[member];
        let deadline = post.watches.deadline();
        let when = if deadline == Instant::ZERO {
            Some(self.now + Duration::from_micros(100))
        } else {
            self.members[member].clock.when(deadline).map(|when| when.max(self.now + Duration::from_micros(100)))
        };
        if let Some(when) = when.filter(|&when| when < post.tick_at) {
            post.tick_at = when;
            let life = post.life;
            self.send_on(when.since(self.now), Errand::Tick { at: member, life });
        }
    }

    fn begin_flush(&mut self, member: usize) {
        if self.company.posts[member].flushing || !self.company.chance.one_in(1, 6) {
            return;
        }
        self.company.posts[member].flushing = true;
        let life = self.members[member].life;
        let process = self.process(member);
        let standing = process.replica.standing();
        let (file, flush) = (process.store.kept.file_number, Box::new(process.replica.machine_mut().inner.flush()));
        let latency = self.sync_latency(member);
        self.send_on(latency, Errand::Flush { at: member, life, file, flush, standing });
    }

    pub(super) fn run_errand(&mut self, errand: Errand) {
        if let Some(member) = errand.process()
            && self.members[member].process.is_none()
        {
            return;
        }
        match errand {
            Errand::Call(who) => self.on_caller(who),
            Errand::Lease(who) => self.on_lessee(who),
            Errand::View(who) => self.on_viewer(who),
            Errand::Renew { who, at, asked } => self.on_renew(who, at, asked),
            Errand::Arrive { who, stream, response } => self.on_response(who, stream, response),
            Errand::Turn { at, life } if self.lives(at, life) => {
                self.company.posts[at].turning = false;
                self.turn(at);
            }
            Errand::Tick { at, life } if self.lives(at, life) => {
                self.company.posts[at].tick_at = Instant::NEVER;
                self.turn(at);
            }
            Errand::Read { at, life, want } if self.lives(at, life) => self.read_page(at, want),
            Errand::Supply { at, life, file, page } if self.lives(at, life) => self.supply(at, file, page),
            Errand::Flush { at, life, file, flush, standing } if self.lives(at, life) => {
                self.end_flush(at, file, *flush, standing)
            }
            Errand::Turn { .. } | Errand::Tick { .. } | Errand::Read { .. } | Errand::Supply { .. } | Errand::Flush { .. } => {}
        }
    }

    /// A thread takes up to so many milliseconds to read, in the chaos.
    fn read_latency(&mut self, most: u64) -> Duration {
        let most = if self.company.core.is_some() { Duration::from_micros(100) } else { Duration::from_millis(most) };
        self.company.chance.between(Duration::from_micros(20), most)
    }

    fn read_page(&mut self, member: usize, want: Want) {
        let process = self.process(member);
        let file = process.store.kept.file_number;
        match process.replica.machine().inner.values().pages().read(want) {
            Ok(page) => {
                self.company.chronicle.borrow_mut().count("pages read");
                let life = self.members[member].life;
                let pause = self.read_latency(20);
                self.send_on(pause, Errand::Supply { at: member, life, file, page });
            }
            Err(error) => self.keeping_failed(member, &failure(error)),
        }
    }

    fn supply(&mut self, member: usize, file: u64, page: Page) {
        let Some(Process { replica, store, .. }) = &self.members[member].process else { return };
        let watches = &mut self.company.posts[member].watches;
        if store.kept.file_number == file {
            watches.supply(&replica.machine().inner, page);
        } else {
            watches.unread();
        }
        self.turn(member);
    }

    fn end_flush(&mut self, member: usize, file: u64, flush: Flush, standing: Snapshot) {
        self.company.posts[member].flushing = false;
        if self.process(member).store.kept.file_number != file {
            return;
        }
        let synced = {
            let ghost = self.ghost.borrow();
            ghost.histories.place(flush.applied).is_some_and(|place| place <= ghost.members[member].synced)
        };
        if !synced {
            let what =
                format!("member {} writes what it applied up to {}, which its log has not synced", member + 1, flush.applied);
            return self.violate(Invariant::SyncedBeforeSaid, what);
        }
        let flush = self.spoil(member, flush);
        let process = self.process(member);
        match process.store.kept.file.write(&flush) {
            Ok(durable) => {
                process.store.kept.durable = Some(durable);
                process.replica.machine_mut().inner.flushed();
            }
            Err(error) => return self.keeping_failed(member, &failure(error)),
        }
        self.trace
            .note(self.now, (member as u64) << 8 | 22, || format!("m{} wrote its data up to {}", member + 1, flush.applied));
        self.ghost.borrow_mut().snapshot_saved(member, flush.applied);
        self.company.chronicle.borrow_mut().count("flushes");
        if self.look_at_machine(member) {
            self.feed(member, Event::Durable(standing));
        }
    }

    /// A known mistake: the applied index of a flush is ahead of its data.
    fn spoil(&mut self, member: usize, flush: Flush) -> Flush {
        #[cfg(feature = "mutants")]
        if self.plan.mutant == Some(crate::options::Mutant::AppliedAheadOfData) {
            let mut flush = flush;
            let late = &mut self.company.posts[member].late;
            let mut changes = std::mem::take(late);
            changes.append(&mut flush.changes);
            *late = changes.split_off(changes.len() - changes.len().min(1));
            return Flush { changes, ..flush };
        }
        let _ = member;
        flush
    }

    /// Whether a member's machine is what it should be, as far as anybody has noticed. If its file could not be read, its process is gone.
    pub(super) fn look_at_machine(&mut self, member: usize) -> bool {
        let wrong = self.company.chronicle.borrow_mut().wrong.take();
        if let Some((invariant, what)) = wrong {
            self.violate(invariant, what);
        }
        let Some(process) = &mut self.members[member].process else { return false };
        match process.replica.machine_mut().inner.values_mut().take_fault() {
            None => true,
            Some(error) => {
                self.keeping_failed(member, &failure(error));
                false
            }
        }
    }
}
