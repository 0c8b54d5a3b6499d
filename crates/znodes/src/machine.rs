//! The tree behind the trait by which every state machine is known.

use crate::outlook::Outlook;
use crate::sweep::Sweep;
use crate::tracker::Tracker;
use crate::tree::Leading;
use crate::{Cursor, Event, Op, Query, Request, Response, Settings, Tree, TreeDigest, Txn};
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::{Instant, NodeId, Position, Restore, RestoreError, SessionNote, StateMachine, Wall};

impl StateMachine for Tree {
    type Request = Request;
    type Command = Txn;
    type Query = Query;
    type Response = Response;
    type Event = Event;
    type Cursor = Cursor;

    fn tell_time(&mut self, now: Instant, wall: Wall) {
        (self.now, self.wall) = (now, millis(wall));
    }

    fn prepare(&mut self, next: Position, wall: Wall, from: NodeId, request: Request) -> Txn {
        self.wall = millis(wall);
        self.prepare_txn(next, from, request)
    }

    fn abandon(&mut self) {
        self.outlook = Outlook::new(self.settings.hash_seed);
        self.leading = None;
    }

    fn apply(&mut self, position: Position, command: Txn, events: &mut Vec<Event>) -> Response {
        assert!(position > self.applied, "applied {position} after {}", self.applied);
        assert_eq!(command.header.position, position, "a transaction stands where it says");
        let told = command.digest.filter(|digest| digest.version == TreeDigest::VERSION).map(|digest| digest.value);
        let response = self.apply_txn(command, events);
        self.advance(position, told);
        response
    }

    fn skip(&mut self, position: Position) {
        assert!(position > self.applied, "skipped {position} after {}", self.applied);
        self.advance(position, None);
    }

    fn applied(&self) -> Position {
        self.applied
    }

    fn read(&self, query: Query) -> Response {
        self.answer(&query)
    }

    /// Every session gets its whole time-out again, and belongs to whoever asks first (Java: `LeaderSessionTracker`'s constructor).
    fn lead(&mut self, now: Instant) {
        self.now = now;
        self.outlook.clear();
        let mut tracker = Tracker::new(self.settings.tick);
        for (&id, &timeout) in &self.sessions {
            tracker.track(now, id, timeout);
        }
        // Ephemeral nodes without a session come out of snapshots that Java made. Java deletes them at start-up behind the log's
        // back (`ZooKeeperServer.loadData`); here their session ends like any other.
        for &id in self.ephemerals.keys().filter(|id| !self.sessions.contains_key(id)) {
            tracker.track(now, id, 0);
        }
        self.leading = Some(Leading { tracker, sweep: Sweep::new(now, &self.settings) });
    }

    fn hear(&mut self, now: Instant, from: NodeId, note: SessionNote) -> Option<SessionNote> {
        self.now = now;
        let tracker = &mut self.leading.as_mut()?.tracker;
        match note {
            SessionNote::Touched(sessions) => {
                for (id, timeout) in sessions {
                    tracker.touch(now, id, timeout);
                }
                None
            }
            SessionNote::Revalidate { session, timeout } => {
                let valid = tracker.touch(now, session, timeout);
                if valid {
                    tracker.set_owner(session, from).expect("a session that could be touched lives");
                }
                Some(SessionNote::Revalidated { session, valid })
            }
            SessionNote::Revalidated { .. } => None,
        }
    }

    fn deadline(&self) -> Instant {
        let Some(leading) = &self.leading else { return Instant::NEVER };
        leading.tracker.deadline().min(leading.sweep.deadline())
    }

    fn due(&mut self, now: Instant) -> Vec<Request> {
        self.now = now;
        let Some(mut leading) = self.leading.take() else { return Vec::new() };
        let expired = leading.tracker.expire(now).into_iter().map(|session| (session, Op::CloseSession));
        let mut due: Vec<(i64, Op)> = expired.collect();
        due.extend(leading.sweep.due(now, self).into_iter().map(|path| (0, Op::DeleteContainer { path })));
        self.leading = Some(leading);
        due.into_iter().map(|(session, op)| self.own_request(session, op)).collect()
    }

    fn begin_snapshot(&mut self) -> Cursor {
        self.begin_walk()
    }

    fn snapshot_chunk(&self, cursor: &mut Cursor, budget: usize) -> Option<Bytes> {
        self.walk_on(cursor, budget)
    }

    fn end_snapshot(&mut self, cursor: Cursor) {
        self.end_walk(&cursor);
    }
}

impl Restore for Tree {
    fn restore(chunks: &mut dyn Iterator<Item = Bytes>) -> Result<Tree, RestoreError> {
        Tree::restore_with(Settings::default(), chunks)
    }
}

impl Tree {
    fn advance(&mut self, position: Position, told: Option<u64>) {
        self.applied = position;
        self.outlook.applied(position);
        if self.settings.digest {
            self.verify.check(position, self.digest, told);
        }
    }

    /// A request of the leader's own. Its number is one that no client gives its requests, so that none is taken for another.
    fn own_request(&mut self, session: i64, op: Op) -> Request {
        self.own_requests = self.own_requests.wrapping_add(1);
        Request { session, cxid: i32::MIN | (self.own_requests & i32::MAX), ids: Vec::new(), op }
    }

    /// What a leader keeps: begun now if nobody said that this member leads.
    pub(crate) fn leading(&mut self) -> &mut Leading {
        if self.leading.is_none() {
            self.lead(self.now);
        }
        self.leading.as_mut().expect("just begun")
    }
}

fn millis(wall: Wall) -> i64 {
    i64::try_from(wall.0.as_millis()).unwrap_or(i64::MAX)
}
