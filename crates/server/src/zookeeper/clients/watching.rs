//! Watches: who hears of what.

use super::connection::ConnectionId;
use super::desk::{Desk, Moment};
use bytes::{Bytes, BytesMut};
use consensus::{Instant, Position};
use std::sync::Arc;
use znodes::{Acl, AddMode, ErrorCode, Event, Fired, Permissions, Renewal, WatchEvent, WatcherType};
use zookeeper::client::{encode_added_watch, encode_event, encode_header};
use zookeeper::opcode;

/// What happened while a client was away has no zxid of its own.
const WHILE_AWAY: i64 = -1;

impl Desk {
    /// A transaction was applied: watchers are told, and clients of sessions that ended are let go.
    pub(super) fn happened(&mut self, position: Position, events: &[Event]) {
        for event in events {
            match event {
                Event::SessionClosed(session) => self.session_closed(*session),
                Event::Node { .. } => {
                    if self.watches.is_empty() {
                        continue;
                    }
                    let mut watches = std::mem::take(&mut self.watches);
                    let fired = watches.fire(event, |watcher, _, acl| self.may_read(watcher, acl));
                    self.watches = watches;
                    self.count_fired(&fired);
                    self.tell_watchers(position.zxid() as i64, &fired);
                }
            }
        }
    }

    /// Watchers who may not read a node hear nothing of it (CVE-2024-23944).
    fn may_read(&self, watcher: ConnectionId, acl: &[Acl]) -> bool {
        let Some(connection) = self.get(watcher) else { return false };
        self.settings.tree.allows(acl, Permissions::READ, &connection.ids)
    }

    fn count_fired(&mut self, fired: &[Fired<ConnectionId>]) {
        let mut counts = [0; 4];
        for Fired { event, .. } in fired {
            counts[event.number() as usize - 1] += 1;
        }
        let [created, deleted, changed, children] = counts;
        let metrics = &mut self.metrics;
        let summaries = [
            (&mut metrics.node_created_watch_count, created),
            (&mut metrics.node_deleted_watch_count, deleted),
            (&mut metrics.node_changed_watch_count, changed),
            (&mut metrics.node_children_watch_count, children),
        ];
        for (summary, count) in summaries.into_iter().filter(|(_, count)| *count > 0) {
            summary.add(count);
        }
    }

    /// Events leave before the answer to anything that is asked from now on.
    fn tell_watchers(&mut self, zxid: i64, fired: &[Fired<ConnectionId>]) {
        // Many watchers of one change are told the same bytes.
        let mut last: Option<(WatchEvent, Arc<str>, Bytes)> = None;
        for Fired { watcher, event, path } in fired {
            let frame = match &last {
                Some((kind, of, frame)) if kind == event && Arc::ptr_eq(of, path) => frame.clone(),
                _ => {
                    let mut frame = BytesMut::new();
                    encode_event(zxid, *event, path, &mut frame);
                    frame.freeze()
                }
            };
            last = Some((*event, path.clone(), frame.clone()));
            let Some(connection) = self.get_mut(*watcher) else { continue };
            if connection.stage == super::connection::Stage::Closing {
                continue;
            }
            connection.output.extend_from_slice(&frame);
            connection.event_bytes += frame.len();
            connection.stats.sent += 1;
            self.metrics.watch_bytes += (frame.len() - 4) as u64;
            self.totals.sends(frame.len() - 4);
            self.mark(*watcher);
        }
    }

    /// setWatches, setWatches2: a client that is back names what it watched. What it missed it hears at once.
    pub(super) fn renew_watches(
        &mut self,
        moment: &Moment<'_>,
        id: ConnectionId,
        xid: i32,
        op: i32,
        renewal: &Renewal,
        since: Instant,
    ) {
        let missed = self.watches.renew(moment.tree, id, renewal);
        self.tell_watchers(WHILE_AWAY, &missed);
        self.reply(id, op, xid, moment.zxid, since, moment.now, |out| encode_header(xid, moment.zxid, 0, out));
    }

    pub(super) fn add_watch(
        &mut self,
        moment: &Moment<'_>,
        id: ConnectionId,
        xid: i32,
        path: &str,
        mode: AddMode,
        since: Instant,
    ) {
        self.watches.add(path, id, mode);
        let zxid = moment.zxid;
        self.reply(id, opcode::ADD_WATCH, xid, zxid, since, moment.now, |out| encode_added_watch(xid, zxid, out));
    }

    pub(super) fn remove_watches(
        &mut self,
        moment: &Moment<'_>,
        id: ConnectionId,
        xid: i32,
        path: &str,
        which: WatcherType,
        since: Instant,
    ) {
        let there_was = self.watches.remove(path, id, which);
        self.tell_whether(moment, id, xid, opcode::REMOVE_WATCHES, there_was, since);
    }

    pub(super) fn check_watches(
        &mut self,
        moment: &Moment<'_>,
        id: ConnectionId,
        xid: i32,
        path: &str,
        which: WatcherType,
        since: Instant,
    ) {
        let there_is = self.watches.contains(path, id, which);
        self.tell_whether(moment, id, xid, opcode::CHECK_WATCHES, there_is, since);
    }

    fn tell_whether(&mut self, moment: &Moment<'_>, id: ConnectionId, xid: i32, op: i32, there: bool, since: Instant) {
        let error = if there { 0 } else { ErrorCode::NoWatcher.number() };
        self.reply(id, op, xid, moment.zxid, since, moment.now, |out| encode_header(xid, moment.zxid, error, out));
    }
}
