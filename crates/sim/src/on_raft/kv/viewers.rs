//! Clients who watch, and what etcd promises them.
//!
//! Each has a stream to one member, with some watches on it. It reads as slowly as it likes, loses its stream, comes back to another
//! member and goes on at the revision after the last of which it was told. What it is told between two such revisions is compared with
//! the chronicle: nothing else, nothing less, in order, and once.

use super::Land;
use super::chronicle::Chronicle;
use super::model::is_within;
use super::turn::Errand;
use crate::invariant::Invariant;
use bytes::Bytes;
use consensus::{Chance, Instant};
use keyspace::{Change, Revision, StreamId, WatchEvent, WatchNews, WatchRequest, WatchResponse};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// One of them.
#[derive(Debug)]
pub(super) struct Viewer {
    /// Its stream, to which process.
    stream: Option<(StreamId, usize, u64)>,
    watches: Vec<Watch>,
    /// What has arrived and was not read.
    inbox: VecDeque<WatchResponse>,
    /// So many responses it reads at a time.
    reads: u64,
    /// So long it rests between, at most.
    rest: Duration,
}

/// One watch, whatever stream it is on.
#[derive(Clone, Debug)]
struct Watch {
    request: WatchRequest,
    /// Of the present stream it was told that it is there.
    created: bool,
    /// Everything before this revision was told.
    next: Option<i64>,
}

const WATCHES_MAX: u64 = 6;

impl Viewer {
    pub(super) fn new(chance: &mut Chance) -> Viewer {
        Viewer {
            stream: None,
            watches: Vec::new(),
            inbox: VecDeque::new(),
            reads: [100, 3, 1][chance.below(3) as usize],
            rest: Duration::from_millis([20, 200, 3_000][chance.below(3) as usize]),
        }
    }

    /// Tells when it has come further.
    pub(super) fn far(&self) -> i64 {
        self.watches.iter().filter_map(|watch| watch.next).sum()
    }
}

/// What to look at, and from when.
fn request(chance: &mut Chance, id: i64, head: i64) -> WatchRequest {
    let (key, range_end) = match chance.below(6) {
        0 => (super::callers::key(chance), Bytes::new()),
        1 => (Bytes::from_static(b"t/2"), Bytes::from_static(b"t/5")),
        2 => (Bytes::from_static(b"l/"), Bytes::from_static(b"l0")),
        3 => (Bytes::from_static(b"r/00000"), Bytes::new()),
        4 => (Bytes::from_static(b"s"), Bytes::from_static(b"\0")),
        _ => (Bytes::new(), Bytes::from_static(b"\0")),
    };
    let start_revision = match chance.below(5) {
        0 | 1 => 0,
        2 => 1 + chance.below(head.unsigned_abs()) as i64,
        3 => (head - chance.below(50) as i64).max(1),
        _ => head + chance.below(30) as i64,
    };
    WatchRequest {
        key,
        range_end,
        start_revision,
        watch_id: id,
        no_put: chance.one_in(1, 8),
        no_delete: chance.one_in(1, 8),
        prev_kv: chance.one_in(1, 2),
        fragment: chance.one_in(1, 4),
        progress_notify: chance.one_in(1, 2),
    }
}

impl Watch {
    fn wants(&self, change: &Change) -> bool {
        let WatchRequest { key, range_end, no_put, no_delete, .. } = &self.request;
        let first = if key.is_empty() { Bytes::from_static(b"\0") } else { key.clone() };
        let filtered = match change {
            Change::Put(_) => *no_put,
            Change::Delete { .. } => *no_delete,
        };
        is_within(change.key(), &first, range_end) && !filtered
    }

    /// All that it is to be told of these revisions.
    fn owed<'c>(&'c self, chronicle: &'c Chronicle, from: i64, upto: i64) -> impl Iterator<Item = &'c (Revision, Change)> {
        let revisions = chronicle.model.events.iter().skip(from.max(0) as usize).take((upto - from + 1).max(0) as usize);
        revisions.flatten().filter(|(_, change)| self.wants(change))
    }
}

impl Land {
    pub(super) fn on_viewer(&mut self, who: usize) {
        let rest = if self.company.core.is_some() { Duration::from_millis(3) } else { self.company.viewers[who].rest };
        let pause = self.company.chance.between(Duration::from_millis(1), rest);
        self.send_on(pause, Errand::View(who));
        let stands = self.company.viewers[who].stream.is_some_and(|(_, member, life)| self.lives(member, life));
        let wanted = self.company.viewers[who].stream.is_some_and(|(_, member, _)| self.is_wanted(member));
        if !stands || !wanted || self.company.core.is_none() && self.company.chance.one_in(1, 60) {
            return self.move_viewer(who);
        }
        let reads = if self.company.core.is_some() { 100 } else { self.company.viewers[who].reads };
        for _ in 0..reads {
            let Some(response) = self.company.viewers[who].inbox.pop_front() else { break };
            let Some((stream, member, _)) = self.company.viewers[who].stream else { return };
            let weight = response.weight();
            self.read_response(who, response);
            self.company.posts[member].watches.took(stream, weight);
        }
        if self.company.core.is_none() {
            self.fiddle(who);
        }
        if let Some((_, member, life)) = self.company.viewers[who].stream
            && self.lives(member, life)
            && !self.members[member].paused
        {
            self.turn(member);
        }
    }

    fn is_wanted(&self, member: usize) -> bool {
        self.company.core.as_ref().is_none_or(|core| core.contains(&member))
    }

    /// Its stream ends, and it opens another, to any member.
    fn move_viewer(&mut self, who: usize) {
        if let Some((stream, member, life)) = self.company.viewers[who].stream.take()
            && self.lives(member, life)
        {
            let post = &mut self.company.posts[member];
            post.streams.remove(&stream);
            post.watches.close(stream);
        }
        let viewer = &mut self.company.viewers[who];
        viewer.inbox.clear();
        viewer.watches.iter_mut().for_each(|watch| watch.created = false);
        let Some(member) = self.somebody() else { return };
        self.enter_post(member);
        let stream = StreamId(self.number());
        let now = self.members[member].clock.read(self.now);
        let life = self.members[member].life;
        let post = &mut self.company.posts[member];
        post.streams.insert(stream, (who, Instant::ZERO));
        post.watches.open(now, stream);
        self.company.viewers[who].stream = Some((stream, member, life));
        if self.company.viewers[who].watches.is_empty() {
            self.begin_watch(who);
        }
        (0..self.company.viewers[who].watches.len()).for_each(|which| self.create_watch(who, which));
        self.turn(member);
    }

    /// Another watch.
    fn begin_watch(&mut self, who: usize) {
        let head = self.company.chronicle.borrow().model.now.revision;
        let id = self.number() as i64;
        let request = request(&mut self.company.chance, id, head);
        self.company.viewers[who].watches.push(Watch { request, created: false, next: None });
    }

    fn create_watch(&mut self, who: usize, which: usize) {
        let Some((stream, member, _)) = self.company.viewers[who].stream else { return };
        let now = self.members[member].clock.read(self.now);
        let Watch { request, next, .. } = &self.company.viewers[who].watches[which];
        let start_revision = next.unwrap_or(request.start_revision);
        let request = WatchRequest { start_revision, ..request.clone() };
        self.trace.note(self.now, stream.0 << 8 | 19, || {
            format!("m{} is asked by viewer {who} to watch {:?} from {start_revision} on", member + 1, request.key)
        });
        let post = &mut self.company.posts[member];
        post.watches.create(now, stream, request);
        post.synced = None;
    }

    /// It asks how far it has come, ends a watch, or begins one.
    fn fiddle(&mut self, who: usize) {
        let Some((stream, member, _)) = self.company.viewers[who].stream else { return };
        if self.members[member].paused {
            return;
        }
        match self.company.chance.below(100) {
            0..8 => {
                self.company.posts[member].watches.request_progress(stream);
            }
            8..10 => {
                let count = self.company.viewers[who].watches.len() as u64;
                if count > 1 {
                    let which = self.company.chance.below(count) as usize;
                    let watch = self.company.viewers[who].watches.swap_remove(which);
                    self.company.posts[member].watches.cancel(stream, watch.request.watch_id);
                }
            }
            10..16 if (self.company.viewers[who].watches.len() as u64) < WATCHES_MAX => {
                self.begin_watch(who);
                self.create_watch(who, self.company.viewers[who].watches.len() - 1);
            }
            _ => {}
        }
    }

    pub(super) fn on_response(&mut self, who: usize, stream: StreamId, response: WatchResponse) {
        let viewer = &mut self.company.viewers[who];
        if viewer.stream.is_some_and(|(own, ..)| own == stream) {
            viewer.inbox.push_back(response);
        }
    }

    fn read_response(&mut self, who: usize, response: WatchResponse) {
        let WatchResponse { watch_id, revision, what } = response;
        if let (-1, WatchNews::Progress) = (watch_id, &what) {
            let count = self.company.viewers[who].watches.len();
            return (0..count).for_each(|which| self.learn_progress(who, which, revision));
        }
        let watches = &mut self.company.viewers[who].watches;
        // One that it has just ended may still be told of something.
        let Some(which) = watches.iter().position(|watch| watch.request.watch_id == watch_id) else { return };
        match what {
            WatchNews::Created => {
                let watch = &mut watches[which];
                watch.created = true;
                if watch.next.is_none() {
                    let start = watch.request.start_revision;
                    watch.next = Some(if start == 0 { revision + 1 } else { start });
                }
            }
            WatchNews::Refused(why) => {
                let what = format!("viewer {who} may not watch: {}", why.reason());
                self.violate(Invariant::WatchesAreReliable, what);
            }
            WatchNews::Canceled => {}
            WatchNews::Compacted { compact_revision } => self.learn_of_compaction(who, which, compact_revision),
            WatchNews::Events { events, .. } => self.learn(who, which, revision, &events),
            WatchNews::Progress => self.learn_progress(who, which, revision),
        }
    }

    /// A watch is told that all up to `revision` is what it is told now.
    fn learn(&mut self, who: usize, which: usize, revision: i64, events: &[Arc<WatchEvent>]) {
        let watch = &mut self.company.viewers[who].watches[which];
        let mut chronicle = self.company.chronicle.borrow_mut();
        chronicle.count("watch responses");
        let from = watch.next.unwrap_or(0);
        let wrong = wrong_with(watch, &chronicle, from, revision, events);
        watch.next = Some(from.max(revision + 1));
        drop(chronicle);
        if let Some((invariant, what)) = wrong {
            self.violate(
                invariant,
                format!("viewer {who}, who had heard everything before {from}, was told of {revision}: {what}"),
            );
        }
    }

    fn learn_progress(&mut self, who: usize, which: usize, revision: i64) {
        let watch = &mut self.company.viewers[who].watches[which];
        let (true, Some(from)) = (watch.created, watch.next) else { return };
        let mut chronicle = self.company.chronicle.borrow_mut();
        chronicle.count("watch bookmarks");
        let owed = watch.owed(&chronicle, from, revision).next().cloned();
        let future = revision > chronicle.model.now.revision;
        watch.next = Some(from.max(revision + 1));
        drop(chronicle);
        if owed.is_some() || future {
            let what = format!("viewer {who} was told to have heard everything up to {revision}, and was not told of {owed:?}");
            self.violate(Invariant::WatchesAreBookmarked, what);
        }
    }

    /// What it wanted next is gone, and it is told so: it goes on at what is left.
    fn learn_of_compaction(&mut self, who: usize, which: usize, compact_revision: i64) {
        let watch = &mut self.company.viewers[who].watches[which];
        let next = watch.next.unwrap_or(0);
        watch.next = Some(next.max(compact_revision));
        // What is on its way and speaks of all watches does not speak of this one.
        watch.created = false;
        let mut chronicle = self.company.chronicle.borrow_mut();
        chronicle.count("watches told of a compaction");
        let compacted = chronicle.model.now.compacted;
        drop(chronicle);
        if next >= compact_revision || compacted < compact_revision {
            let what = format!(
                "viewer {who} wanted {next} next and is told that all before {compact_revision} is gone; the last compaction is {compacted}"
            );
            return self.violate(Invariant::WatchesHearOfCompaction, what);
        }
        self.create_watch(who, which);
    }

    /// What a viewer ought to have been told by now and was not.
    pub(super) fn owed_to(&self, who: usize) -> Option<String> {
        let chronicle = self.company.chronicle.borrow();
        let viewer = &self.company.viewers[who];
        viewer.watches.iter().find_map(|watch| {
            let Some(next) = watch.next else { return Some(format!("viewer {who} never heard whether it may watch")) };
            let owed = watch.owed(&chronicle, next, chronicle.model.now.revision).next()?;
            Some(format!("viewer {who} was never told of {owed:?}, which came at or after {next}"))
        })
    }
}

/// Compares what a watch was told of some revisions with what it ought to be.
fn wrong_with(
    watch: &Watch,
    chronicle: &Chronicle,
    from: i64,
    upto: i64,
    events: &[Arc<WatchEvent>],
) -> Option<(Invariant, String)> {
    if upto > chronicle.model.now.revision {
        return Some((Invariant::WatchesAreBookmarked, format!("{upto} has not happened yet")));
    }
    if let Some(early) = events.iter().find(|event| event.revision.main < from) {
        return Some((Invariant::WatchesAreUnique, format!("{:?} was told already, or was never wanted", early.revision)));
    }
    if let Some(pair) = events.windows(2).find(|pair| pair[0].revision >= pair[1].revision) {
        return Some((Invariant::WatchesAreOrdered, format!("{:?} comes before {:?}", pair[0].revision, pair[1].revision)));
    }
    if events.last().is_some_and(|last| last.revision.main > upto) {
        return Some((Invariant::WatchesAreOrdered, format!("an event is newer than the {upto} of its response")));
    }
    let mut told = events.iter().peekable();
    for (at, change) in watch.owed(chronicle, from, upto) {
        match told.next() {
            Some(event) if event.revision == *at && event.change == *change => {
                if let Some(what) = wrong_before(watch, chronicle, event) {
                    return Some((Invariant::WatchesAreReliable, what));
                }
            }
            other => {
                let split = events.iter().any(|event| event.revision.main == at.main);
                let invariant = if split { Invariant::WatchesAreAtomic } else { Invariant::WatchesAreReliable };
                return Some((invariant, format!("in place of {change:?} at {at} it was told {other:?}")));
            }
        }
    }
    told.next().map(|more| (Invariant::WatchesAreReliable, format!("{more:?} is nothing that it watches")))
}

/// Whether the pair from before an event is the right one. It may be missing if it was compacted away.
fn wrong_before(watch: &Watch, chronicle: &Chronicle, event: &WatchEvent) -> Option<String> {
    if !watch.request.prev_kv {
        return None;
    }
    let before = chronicle.model.before(event.change.key(), event.revision.main);
    let may_miss = event.revision.main - 1 < chronicle.model.now.compacted;
    let right = event.prev_kv.as_ref() == before || event.prev_kv.is_none() && may_miss;
    (!right).then(|| format!("before {:?} there was {before:?}, not {:?}", event.revision, event.prev_kv))
}
