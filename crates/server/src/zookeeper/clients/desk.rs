//! All connections, and what they share.

use super::super::config::Config;
use super::super::metrics::{Metrics, Sizes, Summary};
use super::connection::{Connection, ConnectionId, Stage};
use super::line::Line;
use super::stats::ConnectionStats;
use crate::clock::wall;
use consensus::{Instant, SessionNote};
use replica::Token;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use tracing::{debug, warn};
use znodes::{Tree, Watches};
use zookeeper::words::Word;

/// The member, as the desk sees it: whom to leave work with.
pub(super) trait Member {
    fn token(&self) -> Token;
    fn write(&self, token: Token, request: znodes::Request);
    fn query(&self, token: Token, query: znodes::Query);
    fn tell(&self, note: SessionNote);
}

/// The world at one moment.
pub(super) struct Moment<'a> {
    pub(super) tree: &'a Tree,
    /// The last transaction that it holds.
    pub(super) zxid: i64,
    pub(super) now: Instant,
    /// Whether clients are served.
    pub(super) serving: bool,
    /// Whether those are who put up with reading only.
    pub(super) read_only: bool,
    pub(super) member: &'a dyn Member,
    pub(super) work: Work,
}

/// Bytes of answers that are made at one moment, for all clients together, before everything else on this thread has its turn.
const WORK_MAX: usize = 1 << 20;

/// Bytes of answers that were made at one moment. Those that wait for a client do not tell how many there were: an answer that turned out
/// too long was made, too, and leaves 20 bytes.
#[derive(Default)]
pub(super) struct Work(Cell<usize>);

impl Work {
    pub(super) fn add(&self, bytes: usize) {
        self.0.set(self.0.get().saturating_add(bytes));
    }

    /// Whether what is still to be answered has to wait for another moment.
    pub(super) fn is_enough(&self) -> bool {
        self.0.get() > WORK_MAX
    }
}

/// Settings that concern clients.
pub(super) struct Settings {
    pub(super) server: u64,
    pub(super) frame_bytes_max: usize,
    pub(super) outstanding_max: usize,
    pub(super) connections_max: usize,
    pub(super) connections_of_one_max: usize,
    /// How the tree behaves: time-outs, who is who, who may do what.
    pub(super) tree: znodes::Settings,
    pub(super) words: HashSet<Word>,
}

/// What is counted over all connections for `srvr`.
pub(crate) struct Totals {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) latency: Summary,
    pub(crate) auth_failed: u64,
    /// Bytes of replies and events.
    pub(crate) response_bytes: Sizes,
}

impl Totals {
    pub(super) fn reset(&mut self) {
        *self = Totals { auth_failed: self.auth_failed, ..Totals::new() };
    }

    fn new() -> Totals {
        Totals { received: 0, sent: 0, latency: Summary::default(), auth_failed: 0, response_bytes: Sizes::default() }
    }

    /// A packet of so many bytes is on its way.
    pub(super) fn sends(&mut self, bytes: usize) {
        self.response_bytes.add(bytes);
        self.sent += 1;
    }
}

/// A write or question on its way.
pub(super) struct Asked {
    pub(super) connection: ConnectionId,
    /// What names it in the log, for writes.
    pub(super) name: Option<(i64, i32)>,
}

/// All connections, and what they share.
pub(crate) struct Desk {
    pub(super) settings: Settings,
    places: Vec<Place>,
    free: Vec<u32>,
    /// Open sockets, also of clients that have been told goodbye, in all and by where they come from.
    count: usize,
    of_address: HashMap<IpAddr, usize>,
    /// The connection that speaks for a session.
    pub(super) by_session: HashMap<i64, ConnectionId>,
    pub(super) next_session: i64,
    pub(super) asked: HashMap<Token, Asked>,
    /// Session and cxid of the writes on their way. The log names a write by them, so there are no two of a name.
    pub(super) on_their_way: HashSet<(i64, i32)>,
    /// Who waits until such a name is free again.
    pub(super) held: HashMap<(i64, i32), ConnectionId>,
    /// Requests that wait for an answer, of all connections.
    pub(super) outstanding: usize,
    pub(super) watches: Watches<ConnectionId>,
    pub(super) dirty: Vec<ConnectionId>,
    words: Vec<(ConnectionId, Word, i64)>,
    pub(super) is_ending: bool,
    /// Bytes that are kept for clients, of all connections.
    pub(super) kept_bytes: usize,
    pub(crate) metrics: Metrics,
    pub(crate) totals: Totals,
}

struct Place {
    turn: u32,
    connection: Option<Connection>,
}

/// A connection, as `cons` tells of it.
pub(crate) struct Described<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) session: i64,
    pub(crate) timeout: i32,
    pub(crate) outstanding: usize,
    /// What Java's selector would wait for: 1 for reading, 4 for writing, 0 while neither.
    pub(crate) interest: u32,
    /// When it is closed unless something comes over it.
    pub(crate) silence_ends: Instant,
    pub(crate) stats: &'a ConnectionStats,
}

impl Desk {
    pub(super) fn new(config: &Config, tree: znodes::Settings) -> Desk {
        let every = config.words.iter().any(|word| word.trim() == "*");
        let mut words: HashSet<Word> = config.words.iter().filter_map(|word| Word::from_name(word.trim())).collect();
        if every {
            words.extend(Word::ALL);
        }
        // zkServer.sh depends on it (FourLetterCommands.isEnabled).
        words.insert(Word::Srvr);
        // Clients that put up with reading only ask whether they have to.
        if config.read_only_mode {
            words.insert(Word::Isro);
        }
        let millis = wall().0.as_millis();
        let settings = Settings {
            server: config.id,
            frame_bytes_max: config.jute_max,
            outstanding_max: config.outstanding_max,
            connections_max: super::open_files(config.max_connections as usize),
            connections_of_one_max: config.max_client_connections as usize,
            tree,
            words,
        };
        Desk {
            next_session: zookeeper::session::first_id(settings.server, u64::try_from(millis).unwrap_or(0)),
            settings,
            places: Vec::new(),
            free: Vec::new(),
            count: 0,
            of_address: HashMap::new(),
            by_session: HashMap::new(),
            asked: HashMap::new(),
            on_their_way: HashSet::new(),
            held: HashMap::new(),
            outstanding: 0,
            watches: Watches::new(),
            dirty: Vec::new(),
            words: Vec::new(),
            is_ending: false,
            kept_bytes: 0,
            metrics: Metrics::default(),
            totals: Totals::new(),
        }
    }

    /// A client is at the door. `None`: there are too many already.
    pub(super) fn connect(&mut self, address: SocketAddr, line: Option<Rc<Line>>, now: Instant) -> Option<ConnectionId> {
        // A socket for both families says of a client of the older one that it is in the newer.
        let host = address.ip().to_canonical();
        let address = SocketAddr::new(host, address.port());
        let of_address = self.of_address.get(&host).copied().unwrap_or(0);
        let most = self.settings.connections_of_one_max;
        let refused = if self.count >= self.settings.connections_max {
            Some(format!("Too many connections max allowed is {}", self.settings.connections_max))
        } else if most > 0 && of_address >= most {
            Some(format!("Too many connections from /{host} - max is {most}"))
        } else {
            None
        };
        if let Some(why) = refused {
            self.metrics.connection_rejected += 1;
            // One line for the first and then for each thousandth: who is refused comes again at once.
            if self.metrics.connection_rejected % 1000 == 1 {
                warn!("Error accepting new connection: {why}");
            }
            return None;
        }
        *self.of_address.entry(host).or_default() += 1;
        self.count += 1;
        let connection = Some(Connection::new(address, line, now));
        let place = match self.free.pop() {
            Some(place) => {
                self.places[place as usize].connection = connection;
                place
            }
            None => {
                self.places.push(Place { turn: 0, connection });
                (self.places.len() - 1) as u32
            }
        };
        Some(ConnectionId { place, turn: self.places[place as usize].turn })
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.places.get(id.place as usize).filter(|place| place.turn == id.turn)?.connection.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.places.get_mut(id.place as usize).filter(|place| place.turn == id.turn)?.connection.as_mut()
    }

    /// All ids, in the order of their places.
    pub(super) fn ids(&self) -> Vec<ConnectionId> {
        let with_place = self.places.iter().zip(0..);
        with_place.filter(|(at, _)| at.connection.is_some()).map(|(at, place)| ConnectionId { place, turn: at.turn }).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.connections() == 0
    }

    /// How many connections there are.
    pub(crate) fn connections(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Requests that wait for an answer.
    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// The watches of all clients.
    pub(crate) fn watches(&self) -> &Watches<ConnectionId> {
        &self.watches
    }

    /// The session of a connection; 0 if it has none.
    pub(crate) fn session_of(&self, id: ConnectionId) -> i64 {
        self.get(id).map_or(0, |connection| connection.session)
    }

    /// Every connection, as `cons` tells of it.
    pub(crate) fn describe(&self) -> impl Iterator<Item = Described<'_>> {
        self.places.iter().filter_map(|place| place.connection.as_ref()).map(|connection| Described {
            address: connection.address,
            session: connection.session,
            timeout: connection.timeout,
            outstanding: connection.queue.len(),
            interest: match connection.stage {
                Stage::Word => 0,
                _ if connection.output.is_empty() => 1,
                _ => 5,
            },
            silence_ends: connection.silence_ends(),
            stats: &connection.stats,
        })
    }

    pub(super) fn reset_connections(&mut self) {
        for place in &mut self.places {
            if let Some(connection) = &mut place.connection {
                connection.stats.reset();
            }
        }
    }

    /// Marks a connection as one to be looked after when the turn has settled.
    pub(super) fn mark(&mut self, id: ConnectionId) {
        let Some(connection) = self.get_mut(id) else { return };
        if !connection.is_dirty {
            connection.is_dirty = true;
            self.dirty.push(id);
        }
    }

    /// The turn has settled: what waited for it is answered, and what was held back goes on.
    pub(super) fn settle(&mut self, moment: &Moment<'_>) {
        for id in std::mem::take(&mut self.dirty) {
            if let Some(connection) = self.get_mut(id) {
                connection.is_dirty = false;
                self.answer_queue(Some(moment), id);
                self.proceed(moment, id);
                self.mark(id);
            }
        }
    }

    /// Lets a client go: what was said to it may still leave, but nothing more is heard or said.
    pub(super) fn close(&mut self, id: ConnectionId) {
        let Some(connection) = self.get_mut(id) else { return };
        if connection.stage == Stage::Closing {
            return;
        }
        debug!(address = %connection.address, session = format_args!("0x{:x}", connection.session), "connection is closed");
        connection.stage = Stage::Closing;
        connection.input = bytes::BytesMut::new();
        let waiting = connection.wait_no_more();
        let session = connection.session;
        self.outstanding -= waiting;
        self.watches.forget(id);
        if self.by_session.get(&session) == Some(&id) {
            self.by_session.remove(&session);
        }
        self.held.retain(|_, holder| *holder != id);
        self.mark(id);
    }

    /// The client is gone without a word.
    pub(super) fn lost(&mut self, id: ConnectionId) {
        let Some(connection) = self.get_mut(id) else { return };
        connection.output.clear();
        if connection.stage != Stage::Closing {
            self.metrics.connection_drop_count += 1;
        }
        self.close(id);
        if let Some(line) = self.get(id).and_then(|connection| connection.line.clone()) {
            line.hang_up();
        }
    }

    /// Nothing more is said or heard: the place is free. Its socket counts until it has [left](Desk::left).
    pub(super) fn remove(&mut self, id: ConnectionId) {
        self.close(id);
        let Some(connection) = self.places.get_mut(id.place as usize).filter(|place| place.turn == id.turn) else { return };
        let Some(gone) = connection.connection.take() else { return };
        connection.turn = connection.turn.wrapping_add(1);
        self.free.push(id.place);
        self.kept_bytes -= gone.kept_bytes;
    }

    /// A socket that was connected from there is closed.
    pub(super) fn left(&mut self, address: SocketAddr) {
        self.count -= 1;
        let host = address.ip().to_canonical();
        if let Some(count) = self.of_address.get_mut(&host) {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&host);
            }
        }
    }

    /// This server serves nobody any more.
    pub(super) fn let_everybody_go(&mut self) {
        for id in self.ids() {
            self.close(id);
        }
    }

    /// This server is about to end: who has no answer to wait for goes now, the others after it.
    pub(super) fn say_goodbye(&mut self) {
        self.is_ending = true;
        for id in self.ids() {
            self.mark(id);
        }
        self.flush();
    }

    /// A word was said.
    pub(super) fn on_word(&mut self, id: ConnectionId, word: Word, mask: i64) {
        if let Some(connection) = self.get_mut(id) {
            connection.stage = Stage::Word;
            self.words.push((id, word, mask));
        }
    }

    pub(super) fn take_words(&mut self) -> Vec<(ConnectionId, Word, i64)> {
        std::mem::take(&mut self.words)
    }

    /// Whether a word is answered.
    pub(crate) fn is_allowed(&self, word: Word) -> bool {
        self.settings.words.contains(&word)
    }

    /// Says a last thing to a client.
    pub(super) fn say(&mut self, id: ConnectionId, text: &str) {
        let Some(connection) = self.get_mut(id) else { return };
        connection.output.extend_from_slice(text.as_bytes());
        connection.stats.sent += 1;
        self.totals.sent += 1;
        self.close(id);
        self.flush();
    }
}
