//! Watches under random histories: what etcd promises those who watch, against a model that knows everything that happened.
//!
//! A *leader* applies random commands at once; the *member* with the watches applies them later, or is replaced by a snapshot of the
//! leader. Its history lies "on disk" but for the newest part: pages come late, after compactions and sweeps. Clients read when they
//! like.

use crate::kit::{bytes, delete, put};
use bytes::Bytes;
use consensus::{Chance, Instant, Position, Restore, StateMachine};
use core::time::Duration;
use keyspace::{
    Change, Command, CompactRequest, KeyRange, KeyValue, Keyspace, MemoryValues, Op, Page, Revision, StreamId, TxnRequest,
    Values, Want, WatchNews, WatchOptions, WatchRequest, WatchResponse, Watches,
};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};

/// Values of which only what came after `cold` is in memory.
#[derive(Default)]
struct Store {
    values: MemoryValues,
    cold: Cell<i64>,
}

impl Values for Store {
    fn put(&mut self, at: Revision, change: Change) {
        self.values.put(at, change);
    }

    fn get(&self, at: Revision) -> Option<Change> {
        self.values.get(at)
    }

    fn remove(&mut self, at: Revision) {
        self.values.remove(at);
    }

    fn scan(&self, from: Revision) -> impl Iterator<Item = (Revision, Change)> {
        self.values.scan(from)
    }

    fn page(&self, want: Want) -> Option<Page> {
        if want.from <= self.cold.get() { None } else { self.values.page(want) }
    }

    fn bytes(&self) -> u64 {
        self.values.bytes()
    }
}

/// Something that happened, and what was there before.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Happened {
    at: Revision,
    change: Change,
    before: Option<KeyValue>,
}

/// A watcher, as its client sees it.
#[derive(Debug)]
struct Watcher {
    request: WatchRequest,
    /// The first revision that it has not been told of.
    next: i64,
    /// It may have been behind at some time, so that a compaction may overtake it.
    may_lag: bool,
}

/// A stream, as its client sees it.
#[derive(Default)]
struct Client {
    watchers: BTreeMap<i64, Watcher>,
    /// Requests that are not answered yet.
    creating: VecDeque<WatchRequest>,
    cancelling: VecDeque<i64>,
    /// Responses that it has not read, by weight.
    unread: VecDeque<usize>,
    /// What it read and did not tell the server yet.
    untold: usize,
    reads: bool,
}

struct World {
    chance: Chance,
    options: WatchOptions,
    now: Instant,
    leader: Keyspace,
    member: Keyspace<Store>,
    /// What the member has not applied.
    log: VecDeque<(Position, Command)>,
    /// Everything that ever happened, and what is there.
    history: Vec<Happened>,
    present: BTreeMap<Bytes, KeyValue>,
    watches: Watches,
    clients: BTreeMap<StreamId, Client>,
    next_stream: u64,
    reading: Option<Want>,
    told: usize,
    compacted: usize,
}

const KEYS: [&str; 6] = ["a", "b", "ba", "bb", "c", "d"];

impl World {
    fn new(seed: u64) -> World {
        let mut chance = Chance::new(seed);
        let options = WatchOptions {
            progress_interval: Duration::from_millis(100),
            room_max: 200 << chance.below(5),
            room_min: 150,
            room_total: 4000,
            page_bytes: 100 << chance.below(6),
            ..WatchOptions::default()
        };
        World {
            watches: Watches::new(1, options.clone(), chance.draw()),
            chance,
            options,
            now: Instant::ZERO,
            leader: Keyspace::default(),
            member: Keyspace::default(),
            log: VecDeque::new(),
            history: Vec::new(),
            present: BTreeMap::new(),
            clients: BTreeMap::new(),
            next_stream: 0,
            reading: None,
            told: 0,
            compacted: 0,
        }
    }

    fn key(&mut self) -> &'static str {
        KEYS[self.chance.below(KEYS.len() as u64) as usize]
    }

    /// A random end for a range.
    fn end(&mut self) -> &'static str {
        match self.chance.below(4) {
            0 | 1 => "",
            2 => "\0",
            _ => self.key(),
        }
    }

    fn command(&mut self) -> Command {
        let (key, end) = (self.key(), self.end());
        match self.chance.below(10) {
            0..5 => Command::Put(put(key, "some value")),
            5 | 6 => Command::DeleteRange(delete(key, end)),
            7 | 8 => {
                // One key is deleted and put again in one revision.
                let success = vec![Op::DeleteRange(delete(key, "")), Op::Put(put(key, "again")), Op::Put(put("z", "txn"))];
                Command::Txn(TxnRequest { compare: vec![], success, failure: vec![] })
            }
            _ => {
                let last = self.leader.revision();
                let revision = (last - self.chance.below(12) as i64).max(1);
                Command::Compact(CompactRequest { revision, physical: false })
            }
        }
    }

    /// The leader applies a command; the model notes what happened.
    fn write(&mut self) {
        let command = self.command();
        let Position { epoch, index } = self.leader.applied();
        let position = Position::new(epoch, index + 1);
        let from = Revision::new(self.leader.revision() + 1, 0);
        let _ = self.leader.apply(position, command.clone(), &mut Vec::new());
        let before = self.present.clone();
        for (at, change) in self.leader.values().scan(from) {
            let key = change.key().clone();
            let creation = matches!(&change, Change::Put(kv) if kv.create_revision == kv.mod_revision);
            let before = if creation { None } else { before.get(&key).cloned() };
            match &change {
                Change::Put(kv) => self.present.insert(key, kv.clone()),
                Change::Delete { .. } => self.present.remove(&key),
            };
            self.history.push(Happened { at, change, before });
        }
        self.leader.sweep(self.chance.below(8) as usize);
        self.log.push_back((position, command));
    }

    /// One turn of the member's driver.
    fn turn(&mut self) {
        let head = self.member.revision();
        if self.chance.one_in(1, 40) {
            self.install();
        }
        for _ in 0..self.chance.below(5).min(self.log.len() as u64) {
            let (position, command) = self.log.pop_front().unwrap();
            let _ = self.member.apply(position, command, &mut Vec::new());
        }
        self.watches.advance(self.now, &self.member);
        self.hear();
        if self.chance.one_in(4, 5) {
            self.reading = self.watches.replay(&self.member).or(self.reading);
            self.hear();
        }
        if let Some(want) = self.reading
            && self.chance.one_in(1, 2)
        {
            self.reading = None;
            self.read_page(want);
        }
        self.watches.check();
        self.member.sweep(self.chance.below(8) as usize);
        // Everything up to here may leave memory: the watches have looked at it.
        let values = self.member.values();
        values.cold.set(values.cold.get().max(head - self.chance.below(6) as i64));
    }

    /// The page arrives, read just now, or a while ago.
    fn read_page(&mut self, want: Want) {
        if self.chance.one_in(1, 10) {
            return self.watches.unread();
        }
        let durable = self.member.values().cold.get();
        let want = Want { upto: want.upto.min(durable.max(want.from)), ..want };
        let changes = self.member.values().scan(Revision::new(want.from, 0)).map(Ok::<_, ()>);
        let page = Page::gather(want, changes).unwrap();
        for _ in 0..self.chance.below(3) {
            self.write();
            let (position, command) = self.log.pop_front().unwrap();
            let _ = self.member.apply(position, command, &mut Vec::new());
            self.watches.advance(self.now, &self.member);
            self.hear();
            self.member.sweep(3);
        }
        self.watches.supply(&self.member, page);
        self.hear();
    }

    fn install(&mut self) {
        let mut cursor = self.leader.begin_snapshot();
        let chunks: Vec<Bytes> = std::iter::from_fn(|| self.leader.snapshot_chunk(&mut cursor, 1000)).collect();
        self.leader.end_snapshot(cursor);
        let cold = self.member.values().cold.get();
        self.member = Keyspace::restore(&mut chunks.into_iter()).unwrap();
        self.member.values().cold.set(if self.chance.one_in(1, 2) { self.member.revision() } else { cold });
        self.log.clear();
        for watcher in self.clients.values_mut().flat_map(|client| client.watchers.values_mut()) {
            watcher.may_lag = true;
        }
    }

    fn open(&mut self) {
        self.next_stream += 1;
        let id = StreamId(self.next_stream);
        self.watches.open(self.now, id);
        self.clients.insert(id, Client { reads: self.chance.one_in(2, 3), ..Client::default() });
    }

    fn someone(&mut self) -> Option<StreamId> {
        let number = self.chance.below(self.clients.len().max(1) as u64) as usize;
        self.clients.keys().nth(number).copied()
    }

    fn create(&mut self) {
        let Some(stream) = self.someone() else { return };
        let head = self.member.revision();
        let start_revision = match self.chance.below(6) {
            0 | 1 => 0,
            2 => head + 1 + self.chance.below(10) as i64,
            3 => -1,
            _ => 1 + self.chance.below(head as u64) as i64,
        };
        let (key, end) = (self.key(), self.end());
        let mut flag = || self.chance.one_in(1, 3);
        let request = WatchRequest {
            key: bytes(key),
            range_end: bytes(end),
            start_revision,
            no_put: flag() && flag(),
            no_delete: flag(),
            prev_kv: flag(),
            fragment: flag(),
            progress_notify: flag(),
            watch_id: if flag() { 5 } else { 0 },
        };
        self.clients.get_mut(&stream).unwrap().creating.push_back(request.clone());
        self.watches.create(self.now, stream, request);
        self.hear();
    }

    fn cancel(&mut self) {
        let Some(stream) = self.someone() else { return };
        let id = self.chance.below(8) as i64;
        if self.clients[&stream].watchers.contains_key(&id) {
            self.clients.get_mut(&stream).unwrap().cancelling.push_back(id);
        }
        self.watches.cancel(stream, id);
        self.hear();
        assert!(self.clients[&stream].cancelling.is_empty());
    }

    fn close(&mut self) {
        if let Some(stream) = self.someone() {
            self.watches.close(stream);
            self.clients.remove(&stream);
        }
    }

    /// Clients read, and now and then say so.
    fn read(&mut self, all: bool) {
        for (&id, client) in &mut self.clients {
            let many = if all { client.unread.len() } else { self.chance.below(4) as usize };
            if all || client.reads || self.chance.one_in(1, 10) {
                client.untold += client.unread.drain(..many.min(client.unread.len())).sum::<usize>();
            }
            if all || client.untold >= self.options.room_min / 4 {
                self.watches.took(id, std::mem::take(&mut client.untold));
            }
        }
    }

    /// Takes what is said, and judges it.
    fn hear(&mut self) {
        let responses: Vec<_> = self.watches.responses().collect();
        for (stream, response) in responses {
            let behind = self.watches.behind() > 0;
            let Some(client) = self.clients.get_mut(&stream) else { panic!("{stream:?} is closed: {response:?}") };
            let held: usize = client.unread.iter().sum::<usize>() + client.untold;
            let full = held + response.weight() >= self.options.room_min;
            client.unread.push_back(response.weight());
            judge(
                client,
                response,
                &self.history,
                &self.member,
                (behind, held, &self.options),
                (&mut self.told, &mut self.compacted),
            );
            if full {
                client.watchers.values_mut().for_each(|watcher| watcher.may_lag = true);
            }
        }
    }

    fn step(&mut self) {
        match self.chance.below(100) {
            0..30 => self.write(),
            30..60 => self.turn(),
            60..63 => self.open(),
            63..73 => self.create(),
            73..76 => self.cancel(),
            76 => self.close(),
            77..80 => {
                if let Some(stream) = self.someone() {
                    self.watches.request_progress(stream);
                    self.hear();
                }
            }
            80..83 => self.now = self.now + Duration::from_millis(self.chance.below(80)),
            _ => self.read(false),
        }
        self.watches.check();
    }

    /// Once everybody reads and nothing more is written, everybody hears of everything.
    fn settle(&mut self) {
        while let Some((position, command)) = self.log.pop_front() {
            let _ = self.member.apply(position, command, &mut Vec::new());
        }
        let head = self.member.revision();
        for _ in 0..10_000 {
            self.read(true);
            self.watches.advance(self.now, &self.member);
            if self.reading.is_none() {
                self.reading = self.watches.replay(&self.member);
            }
            if let Some(want) = self.reading.take() {
                let page = self.member.values().values.page(want).unwrap();
                self.watches.supply(&self.member, page);
            }
            self.hear();
            self.watches.check();
            if self.watches.behind() == 0 && self.watches.deadline() != Instant::ZERO {
                break;
            }
        }
        assert_eq!(self.watches.behind(), 0, "everybody catches up");
        for (id, client) in &self.clients {
            for (watch_id, watcher) in &client.watchers {
                let missed = expected(watcher, &self.history, head);
                assert!(missed.is_empty(), "{id:?} {watch_id} {watcher:?} was not told: {missed:?}");
            }
        }
    }
}

/// What a watcher is to be told up to a revision.
fn expected<'a>(watcher: &Watcher, history: &'a [Happened], upto: i64) -> Vec<&'a Happened> {
    let WatchRequest { key, range_end, no_put, no_delete, .. } = &watcher.request;
    let range = KeyRange::new(key, range_end);
    let wanted = |happened: &&Happened| {
        let key = happened.change.key();
        let within = match range {
            KeyRange::One(one) => key == one,
            KeyRange::Span(first, end) => first <= key && end.is_none_or(|end| key < end),
        };
        let filtered = match happened.change {
            Change::Put(_) => *no_put,
            Change::Delete { .. } => *no_delete,
        };
        within && !filtered && (watcher.next..=upto).contains(&happened.at.main)
    };
    history.iter().filter(wanted).collect()
}

fn judge<V: Values>(
    client: &mut Client,
    response: WatchResponse,
    history: &[Happened],
    machine: &Keyspace<V>,
    (behind, held, options): (bool, usize, &WatchOptions),
    (told, compactions): (&mut usize, &mut usize),
) {
    let WatchResponse { watch_id, revision, what } = response;
    let head = machine.revision();
    let compacted = machine.status().compacted;
    match what {
        WatchNews::Created => {
            let request = client.creating.pop_front().expect("created only what was asked for");
            let next = if request.start_revision == 0 { revision + 1 } else { request.start_revision };
            assert!(request.watch_id == 0 || request.watch_id == watch_id);
            let may_lag = next <= revision;
            let before = client.watchers.insert(watch_id, Watcher { request, next, may_lag });
            assert!(before.is_none(), "ids are unique in a stream");
        }
        WatchNews::Refused(_) => {
            let request = client.creating.pop_front().expect("refused only what was asked for");
            assert_eq!(watch_id, -1);
            let empty = !request.range_end.is_empty() && request.range_end != "\0" && request.range_end <= request.key;
            assert!(empty || client.watchers.contains_key(&request.watch_id), "{request:?}");
        }
        WatchNews::Canceled => {
            assert_eq!(client.cancelling.pop_front(), Some(watch_id));
            client.watchers.remove(&watch_id).expect("cancelled once");
        }
        WatchNews::Compacted { compact_revision } => {
            let watcher = client.watchers.remove(&watch_id).expect("cancelled once");
            assert_eq!((compact_revision, revision), (compacted, 0));
            assert!(watcher.next < compacted, "what it wants is there");
            assert!(watcher.may_lag, "who keeps up is never overtaken: {watcher:?}");
            *compactions += 1;
        }
        WatchNews::Progress => {
            assert!(revision <= head);
            assert!(watch_id != -1 || !client.watchers.is_empty());
            assert!(held < options.room_max, "not while there is no room");
            for (id, watcher) in &client.watchers {
                if watch_id == -1 || watch_id == *id {
                    assert!(watch_id == -1 || watcher.request.progress_notify);
                    let missed = expected(watcher, history, revision);
                    assert!(missed.is_empty(), "bookmarkable: {missed:?} was not told to {id} (others behind: {behind})");
                }
            }
        }
        WatchNews::Events { events, prev_kv, fragment } => {
            let watcher = client.watchers.get_mut(&watch_id).expect("only who is there is told");
            assert_eq!((prev_kv, fragment), (watcher.request.prev_kv, watcher.request.fragment));
            assert!(held < options.room_max, "there was room");
            assert!(revision <= head && !events.is_empty());
            let expected = expected(watcher, history, revision);
            // Of the very revision of a compaction only each key's last change is kept.
            let kept = |at: Revision, change: &Change| {
                let superseded = |happened: &Happened| {
                    happened.at.main == at.main && happened.at > at && happened.change.key() == change.key()
                };
                at.main > compacted || !history.iter().any(superseded)
            };
            let got = events.iter().map(|event| (event.revision, &event.change)).filter(|(at, change)| kept(*at, change));
            let wanted = expected.iter().map(|happened| (happened.at, &happened.change)).filter(|(at, change)| kept(*at, change));
            let (got, wanted): (Vec<_>, Vec<_>) = (got.collect(), wanted.collect());
            assert_eq!(got, wanted, "ordered, unique, reliable and atomic up to {revision}, for {watcher:?}");
            if prev_kv {
                for event in &events {
                    let happened =
                        history.iter().find(|happened| happened.at == event.revision).expect("told only what happened");
                    let readable = happened.at.main > compacted;
                    assert_eq!(event.prev_kv, happened.before.clone().filter(|_| readable), "before {}", happened.at);
                }
            }
            *told += events.len();
            watcher.next = revision + 1;
        }
    }
}

#[test]
fn whoever_watches_is_told_everything_once_and_in_order() {
    let (mut told, mut compacted, mut lagged) = (0, 0, 0);
    for seed in 0..400 {
        let mut world = World::new(seed);
        for _ in 0..600 {
            world.step();
            lagged += world.watches.behind();
        }
        world.settle();
        told += world.told;
        compacted += world.compacted;
    }
    assert!(told > 50_000 && compacted > 500 && lagged > 50_000, "the test tests something: {told}, {compacted}, {lagged}");
}

#[test]
fn the_keys_of_all_watchers_have_so_much_room_and_give_it_back() {
    let options = WatchOptions { keys_total: 10, ..WatchOptions::default() };
    let mut watches = Watches::new(1, options, 1);
    let (one, other) = (StreamId(1), StreamId(2));
    for stream in [one, other] {
        watches.open(Instant::ZERO, stream);
    }
    let create = |watches: &mut Watches, stream, key: &str, end: &str| {
        watches.create(Instant::ZERO, stream, WatchRequest { key: bytes(key), range_end: bytes(end), ..WatchRequest::default() });
        watches.check();
        let (_, response) = watches.responses().next().unwrap();
        response.what == WatchNews::Created
    };
    assert!(create(&mut watches, one, "four", ""));
    assert!(create(&mut watches, other, "aaa", "bbb"));
    assert!(!create(&mut watches, other, "k", ""), "that is one byte too many");
    watches.close(one);
    assert!(create(&mut watches, other, "fore", "") && !create(&mut watches, other, "k", ""));
}
