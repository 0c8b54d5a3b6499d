//! From bytes to frames.

use super::connection::{ConnectionId, Stage};
use super::desk::{Desk, Moment};
use tracing::warn;
use zookeeper::words::Word;

/// A client that has no session yet says no more than this at once. Java takes as much as from anybody.
const GREETING_BYTES_MAX: usize = 4096;

impl Desk {
    /// A client sent this.
    pub(super) fn receive(&mut self, moment: &Moment<'_>, id: ConnectionId, bytes: &[u8]) {
        self.metrics.bytes_received_count += bytes.len() as u64;
        let Some(connection) = self.get_mut(id) else { return };
        connection.active = moment.now;
        if connection.input.is_empty() {
            let used = self.take(moment, id, bytes);
            if let Some(connection) = self.get_mut(id).filter(|_| used < bytes.len()) {
                connection.input.extend_from_slice(&bytes[used..]);
                self.weigh(id);
            }
        } else {
            connection.input.extend_from_slice(bytes);
            self.proceed(moment, id);
            self.weigh(id);
        }
    }

    /// Goes on with what a client has sent before.
    pub(super) fn proceed(&mut self, moment: &Moment<'_>, id: ConnectionId) {
        let Some(connection) = self.get_mut(id).filter(|connection| !connection.input.is_empty()) else { return };
        let mut input = std::mem::take(&mut connection.input);
        connection.is_stuck = false;
        let used = self.take(moment, id, &input);
        if let Some(connection) = self.get_mut(id).filter(|_| used < input.len()) {
            bytes::Buf::advance(&mut input, used);
            connection.input = input;
        }
    }

    /// Takes whole frames off `bytes` as long as the next one may be looked at, and says how many bytes are done with.
    fn take(&mut self, moment: &Moment<'_>, id: ConnectionId, bytes: &[u8]) -> usize {
        let mut used = 0;
        loop {
            let Some(connection) = self.get(id) else { return bytes.len() };
            let rest = &bytes[used..];
            match connection.stage {
                Stage::Word | Stage::Closing => return bytes.len(),
                _ if connection.is_deaf => return bytes.len(),
                Stage::Opening => return used,
                Stage::Open if self.is_held(connection) => return used,
                Stage::Open if moment.work.is_enough() => {
                    self.mark(id);
                    return used;
                }
                Stage::Greeting | Stage::Open => {}
            }
            let Some(&first) = rest.first_chunk::<4>() else { return used };
            let is_greeting = connection.stage == Stage::Greeting;
            if is_greeting && let Some(word) = Word::from_bytes(first) {
                let Some(mask) = mask_behind(word, rest) else { return used };
                self.count_received(id);
                self.on_word(id, word, mask);
                return bytes.len();
            }
            let most = self.settings.frame_bytes_max;
            let length = i32::from_be_bytes(first);
            let Some(within) = usize::try_from(length).ok().filter(|&within| within <= most) else {
                self.on_len_error(id, length);
                return bytes.len();
            };
            if is_greeting && within > GREETING_BYTES_MAX {
                self.on_len_error(id, length);
                return bytes.len();
            }
            if !moment.serving && !moment.read_only {
                self.metrics.cnxn_closed_without_zk_server_running += 1;
                self.close(id);
                return bytes.len();
            }
            let Some(frame) = rest[4..].get(..within) else { return used };
            if is_greeting {
                self.greet(moment, id, frame);
            } else if !self.request(moment, id, frame) {
                if let Some(connection) = self.get_mut(id) {
                    connection.is_stuck = true;
                }
                return used;
            }
            self.count_received(id);
            used += 4 + within;
        }
    }

    fn count_received(&mut self, id: ConnectionId) {
        self.totals.received += 1;
        if let Some(connection) = self.get_mut(id) {
            connection.stats.received += 1;
        }
    }

    /// The client's bytes are no frames, or too large a one (Java: `NIOServerCnxn.readLength`).
    fn on_len_error(&mut self, id: ConnectionId, length: i32) {
        let most = self.settings.frame_bytes_max;
        let Some(connection) = self.get(id) else { return };
        warn!(
            address = %connection.address,
            session = format_args!("0x{:x}", connection.session),
            "Len error. A message with advertised length of {length} is either a malformed message or too large to process \
             (length is greater than jute.maxbuffer={most}); the connection is closed"
        );
        self.metrics.large_requests_rejected += 1;
        self.close(id);
    }
}

/// Whether these bytes begin with a frame, or with something that will never be one.
pub(super) fn holds_frame(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return false };
    usize::try_from(i32::from_be_bytes(*length)).map_or(true, |length| rest.len() >= length)
}

/// The eight bytes behind `stmk`; 0 behind other words. `None`: they are still to come.
fn mask_behind(word: Word, bytes: &[u8]) -> Option<i64> {
    match word {
        Word::SetTraceMask => bytes[4..].first_chunk().map(|mask| i64::from_be_bytes(*mask)),
        _ => Some(0),
    }
}
