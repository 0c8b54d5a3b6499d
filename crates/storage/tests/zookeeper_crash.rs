//! A server that dies anywhere finds its history again: everything that was synced, and nothing that never was.

mod ledger;
mod memory;

use consensus::{Append, Chance, Entry, NodeId, Position, Promise, Restore, RestoreError, StateMachine};
use ledger::{Line, SMALL, fill, follow, history, line, open, persist, stream};
use memory::MemoryDisk;
use storage::Fault;
use storage::zookeeper::{Store, merge};

/// What a server knows to hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct State {
    lines: Vec<Line>,
    promise: Promise,
}

impl State {
    fn last(&self) -> Position {
        self.lines.last().map_or(Position::ZERO, |line| line.0)
    }

    fn cut(&mut self, after: Position) {
        self.lines.retain(|line| line.0 <= after);
    }
}

/// A story of one server, told until its disk dies.
struct Story {
    chance: Chance,
    state: State,
    /// Every history that a crash at this moment may leave.
    allowed: Vec<Vec<Line>>,
    /// What a crash leaves at least.
    synced: State,
    /// No history was ever cut before this.
    settled: Position,
    /// The latest epoch of which a transaction was ever written.
    seen: u64,
    written: u64,
    ticket: u64,
}

impl Story {
    fn new(seed: u64) -> Story {
        Story {
            chance: Chance::new(seed),
            state: State::default(),
            allowed: vec![Vec::new()],
            synced: State::default(),
            settled: Position::ZERO,
            seen: 0,
            written: 0,
            ticket: 0,
        }
    }

    fn see(&mut self) {
        let epochs = self.allowed.iter().filter_map(|lines| lines.last()).map(|line| line.0.epoch);
        self.seen = epochs.fold(self.seen, u64::max);
    }

    fn now_allowed(&mut self) {
        self.allowed.push(self.state.lines.clone());
    }

    fn tell(&mut self, store: &mut Store<MemoryDisk>) -> Result<(), Fault> {
        loop {
            match self.chance.below(20) {
                0 => self.snapshot(store)?,
                1 => self.install(store)?,
                _ => self.write(store)?,
            }
        }
    }

    fn write(&mut self, store: &mut Store<MemoryDisk>) -> Result<(), Fault> {
        let mut batch = Vec::new();
        for _ in 0..=self.chance.below(4) {
            self.ticket += 1;
            let mut promise = None;
            if self.chance.one_in(1, 6) {
                let mut next = self.state.promise;
                next.epoch += self.chance.below(2);
                if self.chance.one_in(1, 2) {
                    next.current = next.epoch;
                }
                promise = Some(next);
            }
            let mut append = None;
            if promise.is_none() || self.chance.one_in(1, 2) {
                let mut after = self.state.last();
                if self.chance.one_in(1, 10) {
                    let settled: Vec<Position> =
                        self.state.lines.iter().map(|line| line.0).filter(|&at| at >= self.settled).collect();
                    if !settled.is_empty() {
                        after = settled[self.chance.below(settled.len() as u64) as usize];
                        self.state.promise.epoch += 1;
                        promise = Some(self.state.promise);
                    }
                }
                if self.state.promise.epoch == 0 {
                    self.state.promise = Promise { epoch: 1, current: 1, ..Promise::default() };
                    promise = Some(self.state.promise);
                }
                let anew = after < self.state.last();
                let entries = follow(&mut self.chance, after, self.state.promise.epoch, anew, &mut self.written);
                // A cut goes from the end back.
                while self.state.last() > after {
                    self.state.lines.pop();
                    self.now_allowed();
                }
                for entry in &entries {
                    self.state.lines.push(line(entry));
                    self.now_allowed();
                }
                append = Some(Append { after, entries });
            }
            if let Some(promise) = promise {
                self.state.promise = promise;
            }
            batch.push(persist(self.ticket, promise, append));
        }
        // An epoch is promised before anything of it is written, as the protocol does.
        let accepted = Promise { epoch: self.state.promise.epoch, current: self.synced.promise.current, ..Promise::default() };
        store.log.write(&[persist(0, Some(accepted), None)])?;
        store.log.sync()?;
        self.synced.promise = accepted;
        store.log.write(&batch)?;
        if self.chance.one_in(2, 3) {
            self.sync(store)?;
        }
        Ok(())
    }

    fn sync(&mut self, store: &mut Store<MemoryDisk>) -> Result<(), Fault> {
        store.log.sync()?;
        let current = store.log.promise();
        self.state.promise = current;
        self.synced = self.state.clone();
        self.see();
        self.allowed = vec![self.state.lines.clone()];
        Ok(())
    }

    fn snapshot(&mut self, store: &mut Store<MemoryDisk>) -> Result<(), Fault> {
        self.sync(store)?;
        let upto: Vec<Line> = self.state.lines.iter().copied().filter(|line| line.0 >= self.settled).collect();
        let Some(&(position, _)) = upto.get(self.chance.below(upto.len() as u64 + 1) as usize) else { return Ok(()) };
        // Fuzzy: it may hold what came later, too. Here it does not, so that a replay shows.
        let lines: Vec<Line> = self.state.lines.iter().copied().filter(|line| line.0 <= position).collect();
        self.settled = position;
        let writer = store.snapshots.take(position)?;
        let durable = fill(writer, &stream(position, &lines))?.finish()?.publish()?;
        store.log.cut(&durable)?;
        store.newest = Some(durable);
        Ok(())
    }

    /// A leader of a later epoch sends its snapshot, and transactions after it.
    fn install(&mut self, store: &mut Store<MemoryDisk>) -> Result<(), Fault> {
        self.sync(store)?;
        let settled: Vec<Line> = self.state.lines.iter().copied().filter(|line| line.0 >= self.settled).collect();
        let Some(&(common, _)) = settled.get(self.chance.below(settled.len() as u64 + 1) as usize) else { return Ok(()) };
        let mut next = self.state.clone();
        next.cut(common);
        next.promise.epoch += 1;
        let entries = follow(&mut self.chance, common, next.promise.epoch, true, &mut self.written);
        let (held, after) = entries.split_at(self.chance.below(entries.len() as u64 + 1) as usize);
        next.lines.extend(held.iter().map(line));
        let position = next.last();
        self.state.promise.epoch = next.promise.epoch;
        store.log.write(&[persist(0, Some(self.state.promise), None)])?;
        self.sync(store)?;

        let mut receiving = store.snapshots.receive(NodeId(2), position)?;
        let mut body = ledger::body(&next.lines);
        body.extend(b"\0\0\0\x0aBenWasHere");
        let mut whole = false;
        for piece in body.chunks(77) {
            if !whole {
                whole = receiving.write(piece).map_err(fault)?.whole;
            }
        }
        assert!(whole);
        next.lines.extend(after.iter().map(line));
        let arrived = receiving.finish()?;
        let (sealed, machine) = merge(&store.snapshots, arrived, after, Lines::restore, apply).map_err(|error| match error {
            storage::zookeeper::MergeError::Fault(fault) => fault,
            storage::zookeeper::MergeError::Snapshot(error) => fault(error),
            other => panic!("{other}"),
        })?;
        assert_eq!(machine.0, next.lines);
        // What the new leader does not have may go first.
        while self.state.last() > next.last() {
            self.state.lines.pop();
            self.now_allowed();
        }
        self.allowed.push(next.lines.clone());
        self.settled = next.last();
        self.state.lines = next.lines;
        store.newest = Some(store.log.install(sealed)?);
        self.now_allowed();
        self.state.promise.current = self.state.promise.epoch;
        store.log.write(&[persist(0, Some(self.state.promise), None)])?;
        self.sync(store)
    }

    /// What was found must be one of the histories that are allowed.
    fn check(&mut self, store: &Store<MemoryDisk>, what: &str) {
        let found = history(store);
        let allowed = self.allowed.contains(&found);
        let ends: Vec<_> = self.allowed.iter().map(|lines| lines.last()).collect();
        assert!(allowed, "{what}: found {found:?}\nbut only such could be that end with {ends:?}");
        let promise = store.recovered.promise;
        let last = found.last().map_or(0, |line| line.0.epoch);
        assert!(last <= promise.current && promise.current <= promise.epoch, "{what}: {promise:?} with {last}");
        let (least, most) = (self.synced.promise, self.state.promise);
        assert!(least.epoch <= promise.epoch && promise.epoch <= most.epoch.max(least.epoch), "{what}: {promise:?}");
        assert!(least.current <= promise.current, "{what}: {promise:?}, but {least:?} was durable");
        // An epoch whose transactions were here, cut off again or not, may be the current one.
        self.see();
        if promise.current > least.current.max(self.seen) {
            // currentEpoch is the last thing to become durable.
            assert_eq!(found.last(), self.state.lines.last(), "{what}: {promise:?} of {least:?} to {most:?} came before the log");
        }
        self.state = State { lines: found, promise };
        self.synced = self.state.clone();
        self.allowed = vec![self.state.lines.clone()];
    }
}

fn fault(error: storage::zookeeper::SnapshotError) -> Fault {
    match error {
        storage::zookeeper::SnapshotError::Fault(fault) => fault,
        other => panic!("{other}"),
    }
}

/// A tree that is the list of what was applied.
struct Lines(Vec<Line>);

fn apply(machine: &mut Lines, entry: &Entry) -> Result<(), String> {
    machine.0.push(line(entry));
    Ok(())
}

impl StateMachine for Lines {
    type Request = ();
    type Command = Line;
    type Query = ();
    type Response = ();
    type Event = ();
    type Cursor = Option<Vec<u8>>;

    fn prepare(&mut self, _: Position, _: consensus::Wall, _: NodeId, (): ()) -> Line {
        unreachable!("nobody leads here")
    }
    fn abandon(&mut self) {}
    fn apply(&mut self, _: Position, line: Line, _: &mut Vec<()>) {
        self.0.push(line);
    }
    fn skip(&mut self, _: Position) {}
    fn applied(&self) -> Position {
        self.0.last().map_or(Position::ZERO, |line| line.0)
    }
    fn read(&self, (): ()) {}
    fn lead(&mut self, _: consensus::Instant) {}
    fn deadline(&self) -> consensus::Instant {
        consensus::Instant::NEVER
    }
    fn due(&mut self, _: consensus::Instant) -> Vec<()> {
        Vec::new()
    }
    fn begin_snapshot(&mut self) -> Self::Cursor {
        Some(stream(self.applied(), &self.0))
    }
    fn snapshot_chunk(&self, cursor: &mut Self::Cursor, _: usize) -> Option<bytes::Bytes> {
        cursor.take().map(bytes::Bytes::from)
    }
    fn end_snapshot(&mut self, _: Self::Cursor) {}
}

impl Restore for Lines {
    fn restore(chunks: &mut dyn Iterator<Item = bytes::Bytes>) -> Result<Lines, RestoreError> {
        let stream: Vec<u8> = chunks.flatten().collect();
        let at = 8 + 8 + 4 + 4 + 68 + 4 + "/lines".len();
        let word = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
        let length = i32::from_be_bytes(stream[at..at + 4].try_into().unwrap()) as usize;
        let lines = stream[at + 4..at + 4 + length].chunks(16);
        Ok(Lines(lines.map(|line| (Position::from_zxid(word(&line[..8])), word(&line[8..]))).collect()))
    }
}

/// Lives of one server, each ended by a failure.
fn live(seed: u64, lives: u64) {
    let mut story = Story::new(seed);
    let mut disk = MemoryDisk::new();
    for life in 0..lives {
        let what = format!("seed {seed}, life {life}");
        // A start may die, too.
        if story.chance.one_in(1, 3) {
            disk.die_after(story.chance.below(12));
            let died = open(&disk, SMALL).is_err();
            disk =
                if died && story.chance.one_in(1, 2) { disk.after_power_failure(&mut story.chance) } else { disk.after_death() };
        }
        let mut store = open(&disk, SMALL).unwrap_or_else(|error| panic!("{what}: {error}"));
        story.check(&store, &what);
        match story.chance.below(6) {
            0 => disk.fail_syncs(),
            _ => disk.die_after(1 + story.chance.below(150)),
        }
        story.tell(&mut store).unwrap_err();
        drop(store);
        disk = match story.chance.below(3) {
            0 => disk.after_death(),
            1 => disk.after_the_worst_power_failure(),
            _ => disk.after_power_failure(&mut story.chance),
        };
    }
}

#[test]
fn whatever_was_synced_survives_and_nothing_else_appears() {
    for seed in 0..100 {
        live(seed, 12);
    }
}

#[test]
#[ignore = "takes minutes: part of `cargo xtask prove`"]
fn whatever_was_synced_survives_thousands_of_lives() {
    for seed in 1_000..9_000 {
        live(seed, 15);
    }
}
