//! The checkers find what is wrong: on histories that are forged.

use crate::chaos::leased::{self, Leased};
use crate::chaos::linear::{self, Log, Seen};
use crate::chaos::model::{Answer, Call, Done, Guard, Held, Key, State, Step, Target, Told};
use crate::chaos::watched::{self, Heard, Watched};
use std::collections::HashMap;

const SECOND: u64 = 1_000_000_000;

/// A store that does one thing at a time, and a client that asks it, a microsecond each.
#[derive(Default)]
struct Honest {
    state: State,
    ghost: Vec<(i64, Vec<Seen>)>,
    done: Vec<Done>,
}

impl Honest {
    fn head(&self) -> i64 {
        Log::FIRST - 1 + self.ghost.len() as i64
    }

    fn call(&mut self, call: Call) -> &mut Done {
        let (mut answer, changes) = self.state.answer(&call, self.head() + 1);
        if changes.is_empty() {
            answer.revision = self.head();
        } else {
            self.ghost.push((answer.revision, changes.iter().map(|change| (change.key, change.now)).collect()));
        }
        self.state.apply(&changes);
        let at = self.done.len() as u64 * 1_000;
        self.done.push(Done { client: 1, call, called: at, answer: Some((at + 500, answer)) });
        self.done.last_mut().expect("just pushed")
    }

    fn put(&mut self, key: Key, value: u64) -> &mut Done {
        self.call(Call::one(Step::Put { key, value, lease: 0 }))
    }

    fn read(&mut self, key: Key) -> &mut Done {
        self.call(Call::one(Step::Range { from: key, to: key + 1 }))
    }

    fn check(&self) -> Result<Log, String> {
        linear::check(&self.done, &self.ghost)
    }

    fn wrong(&self) -> String {
        self.check().expect_err("a forged history")
    }
}

/// Some of everything.
fn honest() -> Honest {
    let mut store = Honest::default();
    store.put(1, 10);
    store.put(1, 11);
    store.read(1);
    store.put(2, 12);
    store.call(Call::one(Step::Delete { from: 1, to: 3 }));
    let swap = |equals: i64, value: u64| Call {
        guards: vec![Guard { key: 1, target: Target::Modified, equals }],
        then: vec![Step::Put { key: 1, value, lease: 0 }, Step::Put { key: 7, value: value + 1, lease: 0 }],
        otherwise: vec![Step::Range { from: 1, to: 2 }],
        ..Call::default()
    };
    store.call(swap(0, 20));
    store.call(swap(0, 30));
    store.read(1);
    store
}

fn held(value: u64, revision: i64, version: i64) -> Held {
    Held { value, created: revision - version + 1, modified: revision, version, lease: 0 }
}

#[test]
fn an_honest_history_is_accepted() {
    let log = honest().check().expect("an honest history");
    assert_eq!(log.head(), 6);
}

#[test]
fn a_lost_write_is_found() {
    // Acknowledged, and nobody ever sees it: the revision belongs to another's write.
    let mut store = honest();
    let revision = store.head();
    let lost = Answer { revision, succeeded: true, told: vec![Told::Put(None)] };
    store.done.push(Done {
        client: 2,
        call: Call::one(Step::Put { key: 9, value: 99, lease: 0 }),
        called: 0,
        answer: Some((1, lost)),
    });
    assert!(store.wrong().contains("two writes were told"), "{}", store.wrong());
    // Or the history ends before it.
    store.done.last_mut().expect("pushed").answer.as_mut().expect("answered").1.revision = revision + 1;
    assert!(store.wrong().contains("a write is lost"), "{}", store.wrong());
    // Or its revision was made by something else.
    let mut store = honest();
    store.ghost[0].1[0].1 = Some(held(77, 2, 1));
    assert!(store.wrong().contains("was acknowledged as"), "{}", store.wrong());
}

#[test]
fn a_stale_read_is_found() {
    // By its revision: it holds at an earlier one than was answered before it was called.
    let mut store = Honest::default();
    store.put(1, 10);
    store.put(1, 11);
    let (_, answer) = store.read(1).answer.as_mut().expect("answered");
    *answer = Answer { revision: 2, succeeded: true, told: vec![Told::Ranged(vec![(1, held(10, 2, 1))])] };
    assert!(store.wrong().contains("a stale read"), "{}", store.wrong());
    // Asked for what one member knows, that is an honest answer.
    store.done.last_mut().expect("pushed").call.serializable = true;
    store.check().expect("a serializable read may be old");
    // By its content.
    store.done.last_mut().expect("pushed").answer.as_mut().expect("answered").1.revision = 3;
    assert!(store.wrong().contains("a stale or wrong read"), "{}", store.wrong());
}

#[test]
fn a_write_that_takes_effect_before_it_was_called_is_found() {
    let mut store = Honest::default();
    store.put(1, 10).called = 5_000;
    store.done[0].answer.as_mut().expect("answered").0 = 6_000;
    store.put(1, 11);
    assert!(store.wrong().contains("a stale write"), "{}", store.wrong());
}

#[test]
fn a_proposal_applied_twice_is_found() {
    let mut store = Honest::default();
    store.put(1, 10).answer = None;
    store.ghost.push((3, vec![(1, Some(held(10, 3, 2)))]));
    assert!(store.wrong().contains("applied twice"), "{}", store.wrong());
}

#[test]
fn a_change_that_nobody_asked_for_is_found() {
    let mut store = Honest::default();
    store.put(1, 10);
    store.ghost.push((3, vec![(1, None)]));
    assert!(store.wrong().contains("nobody deleted"), "{}", store.wrong());
    store.ghost[1].1[0].1 = Some(held(11, 3, 2));
    assert!(store.wrong().contains("nobody put"), "{}", store.wrong());
    // A client that never learned whether its delete worked explains it.
    store.ghost[1].1[0].1 = None;
    let delete = Call::one(Step::Delete { from: 0, to: 5 });
    store.done.push(Done { client: 2, call: delete, called: 0, answer: None });
    store.check().expect("somebody deleted it");
}

#[test]
fn a_swap_on_a_wrong_guess_is_found() {
    let mut store = honest();
    let failed = store.done.iter_mut().filter(|done| !done.call.guards.is_empty()).nth(1).expect("the second swap");
    failed.answer.as_mut().expect("answered").1.succeeded = true;
    assert!(store.wrong().contains("wrong read"), "{}", store.wrong());
}

/// Everything that happened, as an honest watcher hears it.
fn heard(log: &Log) -> Watched {
    let heard = log
        .from(1)
        .map(|(revision, change)| Heard::Event {
            revision,
            key: change.key,
            now: change.now,
            before: change.before,
            at: 0,
            response: revision as u32,
        })
        .collect();
    let (puts, deletes, before) = (true, true, true);
    Watched { name: "forged".into(), to: 100, start: 1, end: log.head(), heard, puts, deletes, before, ..Watched::default() }
}

/// What the checker says of an honest watcher that was tampered with.
fn tampered(tamper: impl FnOnce(&mut Vec<Heard>)) -> String {
    let log = honest().check().expect("an honest history");
    let mut watched = heard(&log);
    watched::check(&log, &watched, &[]).expect("an honest watcher");
    tamper(&mut watched.heard);
    watched::check(&log, &watched, &[]).expect_err("a forged watcher")
}

#[test]
fn a_lost_event_is_found() {
    for index in 0..7 {
        let wrong = tampered(|heard| {
            heard.remove(index);
        });
        assert!(wrong.contains("an event was lost"), "{wrong}");
    }
    let wrong = tampered(|heard| {
        heard.remove(2);
        heard.insert(2, Heard::Bookmark { revision: 4 });
    });
    assert!(wrong.contains("a bookmark at 4 came before"), "{wrong}");
    // The watcher of everything is the measure of all: what it did not hear is missed, too.
    let mut store = honest();
    store.ghost.remove(2);
    assert!(store.wrong().contains("nobody saw what made revision 4"), "{}", store.wrong());
}

#[test]
fn a_doubled_event_is_found() {
    let wrong = tampered(|heard| heard.insert(2, heard[1]));
    assert!(wrong.contains("was doubled"), "{wrong}");
    let wrong = tampered(|heard| heard.insert(4, heard[1]));
    assert!(wrong.contains("doubled or out of order"), "{wrong}");
}

#[test]
fn events_out_of_order_or_split_are_found() {
    let wrong = tampered(|heard| heard.swap(1, 2));
    assert!(wrong.contains("out of order") || wrong.contains("lost"), "{wrong}");
    let wrong = tampered(|heard| {
        let Some(Heard::Event { response, .. }) = heard.last_mut() else { panic!("the last is an event") };
        *response += 1;
    });
    assert!(wrong.contains("was split"), "{wrong}");
    let wrong = tampered(|heard| heard.insert(2, Heard::Bookmark { revision: 5 }));
    assert!(wrong.contains("bookmark"), "{wrong}");
}

#[test]
fn an_event_with_another_value_is_found() {
    let wrong = tampered(|heard| {
        let Heard::Event { now: Some(held), .. } = &mut heard[1] else { panic!("a put") };
        held.value += 1;
    });
    assert!(wrong.contains("heard as"), "{wrong}");
}

#[test]
fn a_missing_previous_value_is_found() {
    let log = honest().check().expect("an honest history");
    let mut watched = heard(&log);
    let Heard::Event { before, at, .. } = &mut watched.heard[1] else { panic!("a put") };
    (*before, *at) = (None, 10);
    let wrong = watched::check(&log, &watched, &[]).expect_err("nobody compacted it");
    assert!(wrong.contains("before 3"), "{wrong}");
    watched::check(&log, &watched, &[(9, 2)]).expect_err("what was compacted is older");
    watched::check(&log, &watched, &[(11, 3)]).expect_err("it was compacted afterwards");
    watched::check(&log, &watched, &[(9, 3)]).expect("it was compacted");
}

#[test]
fn an_early_revocation_is_found() {
    let mut store = Honest::default();
    store.call(Call::one(Step::Put { key: 5, value: 50, lease: 77 }));
    store.ghost.push((3, vec![(5, None)]));
    let log = store.check().expect("a lease's end is nobody's delete");
    let lease = Leased { id: 77, key: 5, renewed: vec![(0, 2), (SECOND, 2)], revoked: None };
    let gone = |at: u64| HashMap::from([(5, at)]);
    assert_eq!(leased::check(&log, std::slice::from_ref(&lease), &gone(3 * SECOND)), Ok(1));
    let wrong = leased::check(&log, std::slice::from_ref(&lease), &gone(3 * SECOND - 1)).expect_err("too early");
    assert!(wrong.contains("was revoked early"), "{wrong}");
    // Given back, it may end at once, and not before.
    let given_back = Leased { revoked: Some(2 * SECOND), ..lease.clone() };
    assert_eq!(leased::check(&log, std::slice::from_ref(&given_back), &gone(2 * SECOND)), Ok(0));
    leased::check(&log, &[given_back], &gone(2 * SECOND - 1)).expect_err("too early");
    // And one that nobody renews must end.
    store.ghost.pop();
    let log = store.check().expect("a lease that lives");
    let wrong = leased::check(&log, &[lease], &HashMap::new()).expect_err("it lives");
    assert!(wrong.contains("never ended"), "{wrong}");
}
