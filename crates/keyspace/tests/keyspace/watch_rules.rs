//! The rules of watching, one by one: etcd's where clients can see them (server/etcdserver/api/v3rpc/watch.go, server/mvcc), ours where
//! it is about room and turns.

use crate::kit::{Machine, bytes, delete, put};
use consensus::{Instant, Position, StateMachine};
use core::cell::Cell;
use core::time::Duration;
use keyspace::{
    Change, Command, Keyspace, MemoryValues, Op, Revision, StreamId, TxnRequest, Values, WatchNews, WatchOptions, WatchRefusal,
    WatchRequest, WatchResponse, Watches,
};

const ONE: StreamId = StreamId(1);
const TWO: StreamId = StreamId(2);

/// A machine whose driver has watches.
struct Member {
    machine: Machine,
    watches: Watches,
    now: Instant,
}

impl Member {
    fn new(options: WatchOptions) -> Member {
        let mut watches = Watches::new(1, options, 7);
        watches.open(Instant::ZERO, ONE);
        watches.open(Instant::ZERO, TWO);
        Member { machine: Machine::default(), watches, now: Instant::ZERO }
    }

    fn put(&mut self, key: &str, value: &str) {
        self.machine.put(put(key, value)).unwrap();
    }

    /// One turn: what is told, and to whom.
    fn turn(&mut self) -> Vec<(StreamId, WatchResponse)> {
        self.watches.advance(self.now, &self.machine.keyspace);
        while self.watches.deadline() == Instant::ZERO {
            assert_eq!(self.watches.replay(&self.machine.keyspace), None, "everything is in memory");
        }
        self.watches.check();
        self.watches.responses().collect()
    }

    /// The same, in short: what stream `ONE` is told, which its client takes at once.
    fn told(&mut self) -> Vec<String> {
        let told = self.turn();
        for (stream, response) in &told {
            self.watches.took(*stream, response.weight());
        }
        told.iter().filter(|(stream, _)| *stream == ONE).map(|(_, response)| short(response)).collect()
    }

    fn watch(&mut self, request: WatchRequest) -> Vec<String> {
        self.watches.create(self.now, ONE, request);
        self.told()
    }
}

/// Values that count how often one is read.
#[derive(Default)]
struct Counting {
    values: MemoryValues,
    gets: Cell<usize>,
}

impl Values for Counting {
    fn put(&mut self, at: Revision, change: Change) {
        self.values.put(at, change);
    }

    fn get(&self, at: Revision) -> Option<Change> {
        self.gets.set(self.gets.get() + 1);
        self.values.get(at)
    }

    fn remove(&mut self, at: Revision) {
        self.values.remove(at);
    }

    fn scan(&self, from: Revision) -> impl Iterator<Item = (Revision, Change)> {
        self.values.scan(from)
    }

    fn bytes(&self) -> u64 {
        self.values.bytes()
    }
}

impl Default for Member {
    fn default() -> Member {
        Member::new(WatchOptions::default())
    }
}

/// `id@revision: what`.
fn short(response: &WatchResponse) -> String {
    let what = match &response.what {
        WatchNews::Created => "created".to_owned(),
        WatchNews::Refused(why) => why.reason().to_owned(),
        WatchNews::Canceled => "canceled".to_owned(),
        WatchNews::Compacted { compact_revision } => format!("compacted {compact_revision}"),
        WatchNews::Progress => "progress".to_owned(),
        WatchNews::Events { events, prev_kv, .. } => {
            let event = |event: &keyspace::WatchEvent| {
                let key = str::from_utf8(event.change.key()).unwrap();
                let now = match &event.change {
                    Change::Put(kv) => format!("{key}={}", str::from_utf8(&kv.value).unwrap()),
                    Change::Delete { .. } => format!("-{key}"),
                };
                let before = event.prev_kv.as_ref().filter(|_| *prev_kv);
                let before = before.map_or(String::new(), |kv| format!("(was {})", str::from_utf8(&kv.value).unwrap()));
                format!("{}{now}{before}", event.revision.main)
            };
            events.iter().map(|it| event(it)).collect::<Vec<_>>().join(" ")
        }
    };
    format!("{}@{}: {what}", response.watch_id, response.revision)
}

fn watch(key: &str, range_end: &str, start_revision: i64) -> WatchRequest {
    WatchRequest { key: bytes(key), range_end: bytes(range_end), start_revision, ..WatchRequest::default() }
}

#[test]
fn ids_are_counted_from_0_and_step_over_those_that_clients_chose() {
    let mut member = Member::default();
    assert_eq!(member.watch(watch("a", "", 0)), ["0@1: created"]);
    assert_eq!(member.watch(WatchRequest { watch_id: 1, ..watch("a", "", 0) }), ["1@1: created"]);
    assert_eq!(member.watch(WatchRequest { watch_id: -7, ..watch("a", "", 0) }), ["-7@1: created"]);
    assert_eq!(member.watch(watch("a", "", 0)), ["2@1: created"]);
    let duplicate = ["-1@1: mvcc: duplicate watch ID provided on the WatchStream"];
    assert_eq!(member.watch(WatchRequest { watch_id: 2, ..watch("b", "", 0) }), duplicate);
    member.watches.cancel(ONE, 2);
    assert_eq!(member.told(), ["2@1: canceled"]);
    assert_eq!(member.watch(WatchRequest { watch_id: 2, ..watch("b", "", 0) }), ["2@1: created"]);
    assert_eq!(member.watch(watch("a", "", 0)), ["3@1: created"], "ids that were assigned do not come back");
}

#[test]
fn an_empty_range_is_refused_before_anything_else() {
    let mut member = Member::default();
    let empty = "-1@1: mvcc: watcher range is empty";
    assert_eq!(member.watch(watch("b", "a", 0)), [empty]);
    assert_eq!(member.watch(watch("b", "b", 0)), [empty]);
    assert_eq!(member.watch(WatchRequest { watch_id: 3, ..watch("b", "", 0) }), ["3@1: created"]);
    assert_eq!(member.watch(WatchRequest { watch_id: 3, ..watch("b", "a", 0) }), [empty]);
    assert_eq!(WatchRefusal::EmptyRange.reason(), "mvcc: watcher range is empty");
}

#[test]
fn an_empty_key_is_the_smallest_one() {
    let mut member = Member::default();
    member.watch(WatchRequest { watch_id: 1, ..watch("", "", 0) });
    member.watch(WatchRequest { watch_id: 2, ..watch("", "\0", 0) });
    member.watch(WatchRequest { watch_id: 3, ..watch("", "b", 0) });
    member.put("a", "1");
    assert_eq!(member.told(), ["3@2: 2a=1", "2@2: 2a=1"], "in the order of their ranges");
    member.put("\0", "2");
    assert_eq!(member.told(), ["1@3: 3\0=2", "3@3: 3\0=2", "2@3: 3\0=2"]);
    member.put("b", "3");
    assert_eq!(member.told(), ["2@4: 4b=3"]);
}

#[test]
fn a_watch_begins_now_in_the_past_or_in_the_future() {
    let mut member = Member::default();
    member.put("a", "1");
    member.put("a", "2");
    member.told();
    assert_eq!(member.watch(watch("a", "", 0)), ["0@3: created"]);
    assert_eq!(member.watch(watch("a", "", 3)), ["1@3: created", "1@3: 3a=2"]);
    assert_eq!(member.watch(watch("a", "", -1)), ["2@3: created", "2@3: 2a=1 3a=2"]);
    assert_eq!(member.watch(watch("a", "", 5)), ["3@3: created"]);
    member.put("a", "3");
    assert_eq!(member.told(), ["0@4: 4a=3", "1@4: 4a=3", "2@4: 4a=3"]);
    member.put("a", "4");
    assert_eq!(member.told(), ["0@5: 5a=4", "1@5: 5a=4", "2@5: 5a=4", "3@5: 5a=4"]);
}

#[test]
fn a_watch_from_before_a_compaction_is_created_and_then_cancelled() {
    let mut member = Member::default();
    // Nothing was compacted yet, but etcd takes -1 for the last compaction, and so do we.
    assert_eq!(member.watch(watch("a", "", -2)), ["0@1: created", "0@0: compacted -1"]);
    for value in ["1", "2", "3"] {
        member.put("a", value);
    }
    member.machine.compact(3).unwrap();
    member.told();
    assert_eq!(member.watch(watch("a", "", 2)), ["1@4: created", "1@0: compacted 3"]);
    assert_eq!(member.watch(watch("a", "", 3)), ["2@4: created", "2@4: 3a=2 4a=3"], "the compaction itself can be watched");
    member.watches.cancel(ONE, 1);
    assert_eq!(member.told(), Vec::<String>::new(), "it is gone");
}

#[test]
fn who_keeps_up_loses_nothing_to_a_compaction_in_the_same_turn() {
    let mut member = Member::default();
    member.watch(watch("a", "", 0));
    for value in ["1", "2", "3"] {
        member.put("a", value);
    }
    member.machine.compact(4).unwrap();
    assert_eq!(member.told(), ["0@4: 2a=1 3a=2 4a=3"]);
}

#[test]
fn filters_hide_and_hidden_changes_make_no_response() {
    let mut member = Member::default();
    member.watch(WatchRequest { watch_id: 1, no_put: true, ..watch("a", "", 0) });
    member.watch(WatchRequest { watch_id: 2, no_delete: true, ..watch("a", "", 0) });
    member.put("a", "1");
    assert_eq!(member.told(), ["2@2: 2a=1"]);
    member.machine.delete(delete("a", ""));
    assert_eq!(member.told(), ["1@3: 3-a"]);
}

#[test]
fn who_wants_to_know_hears_what_was_there_before() {
    let mut member = Member::default();
    member.watch(WatchRequest { watch_id: 1, prev_kv: true, ..watch("a", "", 0) });
    member.watch(WatchRequest { watch_id: 2, ..watch("a", "", 0) });
    member.put("a", "1");
    member.put("a", "2");
    member.machine.delete(delete("a", ""));
    assert_eq!(member.told(), ["1@4: 2a=1 3a=2(was 1) 4-a(was 2)", "2@4: 2a=1 3a=2 4-a"]);
    member.machine.compact(3).unwrap();
    member.told();
    let from = |start| WatchRequest { prev_kv: true, ..watch("a", "", start) };
    assert_eq!(
        member.watch(from(3)),
        ["0@4: created", "0@4: 3a=2 4-a(was 2)"],
        "what was there before 3 cannot be read any more"
    );
}

#[test]
fn progress_is_told_to_the_idle_once_in_an_interval() {
    let interval = Duration::from_secs(600);
    let mut member = Member::default();
    member.watch(WatchRequest { watch_id: 1, progress_notify: true, ..watch("a", "", 0) });
    member.watch(WatchRequest { watch_id: 2, ..watch("a", "", 0) });
    let due = member.watches.deadline();
    assert!(due >= Instant::ZERO + interval && due < Instant::ZERO + interval + interval / 10, "with a tenth of jitter: {due}");
    let again = Duration::from_nanos(due.as_nanos());

    member.now = due - Duration::from_nanos(1);
    assert_eq!(member.told(), Vec::<String>::new());
    member.put("b", "1");
    member.now = due;
    assert_eq!(member.told(), ["1@2: progress"]);
    assert_eq!(member.watches.deadline(), due + again);
    member.put("a", "2");
    assert_eq!(member.told().len(), 2);
    member.now = due + again;
    assert_eq!(member.told(), Vec::<String>::new(), "it heard something since");
    member.now = due + again + again;
    assert_eq!(member.told(), ["1@3: progress"]);
    member.watches.cancel(ONE, 1);
    assert_eq!(member.watches.deadline(), Instant::NEVER);
}

#[test]
fn a_request_for_progress_is_answered_when_all_watchers_are_synced() {
    let mut member = Member::new(WatchOptions { room_max: 300, room_min: 300, ..WatchOptions::default() });
    member.watches.request_progress(ONE);
    assert_eq!(member.told(), Vec::<String>::new(), "nobody watches");
    member.watch(watch("a", "", 0));
    member.watch(watch("b", "", 9));
    member.put("c", "1");
    member.told();
    member.watches.request_progress(ONE);
    assert_eq!(member.told(), ["-1@2: progress"]);

    // The client takes nothing, so one of the watchers falls behind.
    let mut untaken = 0;
    for _ in 0..5 {
        member.put("a", "1");
        untaken += member.turn().iter().map(|(_, response)| response.weight()).sum::<usize>();
    }
    assert_eq!(member.watches.behind(), 1);
    member.watches.request_progress(ONE);
    assert_eq!(member.turn(), []);
    member.watches.took(ONE, untaken);
    assert_eq!(member.told().len(), 1, "now it catches up");
    member.watches.request_progress(ONE);
    assert_eq!(member.told(), ["-1@7: progress"]);
}

#[test]
fn a_stream_without_room_costs_nothing_and_hears_everything_later() {
    let mut member = Member::new(WatchOptions { room_max: 1000, room_min: 1000, ..WatchOptions::default() });
    member.watch(watch("a", "", 0));
    let value = "x".repeat(400);
    let mut held = 0;
    for _ in 0..20 {
        member.put("a", &value);
        held += member.turn().iter().map(|(_, response)| response.weight()).sum::<usize>();
    }
    assert!((1000..1600).contains(&held), "one response more than fits: {held}");
    assert_eq!((member.watches.behind(), member.watches.deadline()), (1, Instant::NEVER));
    // From now on the client reads. A page for it may be more than fits, as may be one response.
    member.watches.took(ONE, held);
    let told = member.told();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("0@21: 4a=xxx"), "it goes on where it stopped: {}", &told[0][..20]);
    assert_eq!(member.watches.behind(), 0);
}

#[test]
fn one_page_serves_all_who_are_near_and_streams_take_turns() {
    let mut member = Member::new(WatchOptions { page_bytes: 1, ..WatchOptions::default() });
    for number in 0..12 {
        member.put("a", &number.to_string());
    }
    member.told();
    // Three watchers of one stream wait from revision 2 on, one of another from 8 on. A page holds one revision, a turn four pages.
    for _ in 0..3 {
        member.watches.create(Instant::ZERO, ONE, watch("a", "", 2));
    }
    member.watches.create(Instant::ZERO, TWO, watch("a", "", 8));
    member.watches.responses().for_each(drop);
    assert_eq!(member.watches.replay(&member.machine.keyspace), None);
    let told: Vec<_> =
        member.watches.responses().map(|(stream, response)| format!("{} {}", stream.0, short(&response))).collect();
    let expected =
        ["1 0@2: 2a=0", "1 1@2: 2a=0", "1 2@2: 2a=0", "2 0@8: 8a=6", "1 0@3: 3a=1", "1 1@3: 3a=1", "1 2@3: 3a=1", "2 0@9: 9a=7"];
    assert_eq!(told, expected);
    assert_eq!(member.watches.deadline(), Instant::ZERO, "there is more to do");
}

#[test]
fn a_long_past_comes_in_responses_of_a_few_hundred_kilobytes() {
    let mut member = Member::new(WatchOptions { page_bytes: 4 << 20, ..WatchOptions::default() });
    let value = "x".repeat(50_000);
    for _ in 0..20 {
        member.put("a", &value);
    }
    member.told();
    let told = member.watch(watch("a", "", 1));
    let revisions: Vec<_> = told.iter().map(|told| told.split(':').next().unwrap()).collect();
    assert_eq!(revisions, ["0@21", "0@7", "0@13", "0@19", "0@21"], "each says how far it reaches");
}

#[test]
fn no_more_of_what_was_there_before_is_read_than_there_is_room_for() {
    let mut keyspace: Keyspace<Counting> = Keyspace::default();
    let mut apply = |command| {
        let position = Position::new(1, keyspace.applied().index + 1);
        keyspace.apply(position, command, &mut Vec::new()).unwrap();
    };
    let value = "x".repeat(300_000);
    (0..40).for_each(|number| apply(Command::Put(put(&format!("{number}"), &value))));
    (0..40).for_each(|number| apply(Command::DeleteRange(delete(&format!("{number}"), ""))));
    let mut watches = Watches::new(keyspace.revision(), WatchOptions::default(), 7);
    watches.open(Instant::ZERO, ONE);
    watches.create(Instant::ZERO, ONE, WatchRequest { prev_kv: true, ..watch("", "\0", 42) });
    keyspace.values().gets.set(0);
    while watches.deadline() == Instant::ZERO {
        assert_eq!(watches.replay(&keyspace), None);
    }
    let mut revisions = Vec::new();
    loop {
        let gets = keyspace.values().gets.replace(0);
        assert!(gets < 12, "{gets} values are read at a time");
        let mut taken = 0;
        for (_, response) in watches.responses() {
            taken += response.weight();
            if let WatchNews::Events { events, .. } = &response.what {
                assert!(events.iter().all(|event| event.prev_kv.is_some()));
                revisions.extend(events.iter().map(|event| event.revision.main));
            }
        }
        if taken == 0 {
            break;
        }
        watches.took(ONE, taken);
        assert_eq!(watches.replay(&keyspace), None);
    }
    assert_eq!(revisions, (42..=81).collect::<Vec<_>>());
}

#[test]
fn many_streams_share_what_all_may_hold() {
    let options = WatchOptions { room_max: 1000, room_min: 100, room_total: 4000, ..WatchOptions::default() };
    let mut member = Member::new(options);
    let value = "x".repeat(200);
    let watching: Vec<_> = (10..30).map(StreamId).collect();
    for &stream in &watching {
        member.watches.open(Instant::ZERO, stream);
        member.watches.create(Instant::ZERO, stream, watch("a", "", 0));
    }
    let mut held = member.turn().iter().map(|(_, response)| response.weight()).sum::<usize>();
    for _ in 0..20 {
        member.put("a", &value);
        held += member.turn().iter().map(|(_, response)| response.weight()).sum::<usize>();
    }
    assert!(held < 4000 + 20 * 400, "a share each, and one response more: {held}");
    assert_eq!(member.watches.behind(), 20);
}

#[test]
fn ten_thousand_watchers_of_one_stream_take_turns_in_its_room() {
    let mut member = Member::default();
    for _ in 0..10_000 {
        member.watches.create(Instant::ZERO, ONE, watch("a", "b", 0));
    }
    member.told();
    let value = "x".repeat(1000);
    for _ in 0..3 {
        member.put("aa", &value);
    }
    let mut told = 0;
    let mut rounds = 0;
    loop {
        let round = member.turn();
        if round.is_empty() {
            break;
        }
        let held: usize = round.iter().map(|(_, response)| response.weight()).sum();
        assert!(held < (1 << 20) + 4000, "no more than the stream's room: {held}");
        for (_, response) in &round {
            let WatchNews::Events { events, .. } = &response.what else { panic!("{response:?}") };
            told += events.len();
        }
        member.watches.took(ONE, held);
        rounds += 1;
    }
    assert_eq!((told, member.watches.behind()), (30_000, 0));
    assert!(rounds > 20, "{rounds}");
}

#[test]
fn one_revision_is_one_response_however_large_it_is_and_however_many_watch() {
    let room = 1 << 30;
    let mut member = Member::new(WatchOptions { room_max: room, room_min: room, ..WatchOptions::default() });
    let watch_all = |member: &mut Member, stream, start| {
        for _ in 0..300 {
            member.watches.create(Instant::ZERO, stream, watch("", "\0", start));
        }
        member.watches.responses().for_each(drop);
    };
    let judge = |told: Vec<(StreamId, WatchResponse)>| {
        let mut lengths = vec![Vec::new(); 300];
        for (_, response) in told {
            let WatchNews::Events { events, .. } = &response.what else { panic!("{response:?}") };
            lengths[response.watch_id as usize].push(events.len());
        }
        assert!(lengths.iter().all(|lengths| lengths == &[128, 1]), "{:?}", lengths[0]);
    };
    watch_all(&mut member, ONE, 0);
    let value = "x".repeat(4000);
    let success = (0..128).map(|number| Op::Put(put(&format!("{number:03}"), &value))).collect();
    member.machine.txn(TxnRequest { compare: vec![], success, failure: vec![] }).unwrap();
    member.put("after", "1");
    judge(member.turn());
    // The same from the past.
    watch_all(&mut member, TWO, 2);
    judge(member.turn());
}
