//! Sessions: who was heard from, who was not for too long.

use super::connection::{Connection, ConnectionId, Stage};
use super::desk::{Desk, Moment};
use consensus::{Instant, SessionNote};
use std::time::Duration;

/// Who has no session yet may be silent so long (`zookeeper.nio.sessionlessCnxnTimeout`). Connections with a session are closed after
/// its time-out, in steps of this length (Java: NIOServerCnxnFactory's ExpiryQueue).
const SILENCE_MAX: Duration = Duration::from_secs(10);

impl Desk {
    /// Twice a tick: the leader is told which sessions live, and silent connections are closed.
    pub(super) fn tick(&mut self, moment: &Moment<'_>) {
        let mut touched = Vec::new();
        for id in self.ids() {
            let Some(connection) = self.get_mut(id) else { continue };
            if std::mem::take(&mut connection.touched) && connection.stage == Stage::Open && !connection.is_read_only {
                touched.push((connection.session, connection.timeout));
            }
            if connection.silence_ends() < moment.now {
                self.expire(id);
            }
        }
        if !touched.is_empty() {
            moment.member.tell(SessionNote::Touched(touched));
        }
    }

    fn expire(&mut self, id: ConnectionId) {
        self.metrics.sessionless_connections_expired += 1;
        if let Some(connection) = self.get_mut(id) {
            // Who does not read what it was told last is not waited for either.
            if connection.stage == Stage::Closing {
                connection.output.clear();
            }
        }
        self.close(id);
        self.mark(id);
    }

    /// A session has ended: its client is let go, unless it asked for that itself and is about to be told.
    pub(super) fn session_closed(&mut self, session: i64) {
        let Some(&id) = self.by_session.get(&session) else { return };
        if self.get(id).is_some_and(|connection| !connection.is_closing_session()) {
            self.close(id);
        }
    }
}

impl Connection {
    /// When it is closed unless something comes over it.
    pub(super) fn silence_ends(&self) -> Instant {
        let patience = match self.stage {
            Stage::Greeting | Stage::Word | Stage::Closing => SILENCE_MAX,
            Stage::Opening | Stage::Open => Duration::from_millis(self.timeout.max(0) as u64),
        };
        let steps = (self.active + patience).as_nanos() / SILENCE_MAX.as_nanos() as u64;
        Instant::ZERO + SILENCE_MAX * u32::try_from(steps + 1).unwrap_or(u32::MAX)
    }
}
