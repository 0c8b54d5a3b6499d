//! `cons`, `dump`, `hash` and the watches: lists.

use super::super::clients::{Described, Front};
use super::super::member::Mode;
use super::date::date;
use crate::clock::wall;
use consensus::Instant;
use std::collections::BTreeMap;

/// `cons`.
pub(super) fn cons(front: &Front) -> String {
    let mut text = String::new();
    connections(front, false, &mut text);
    text + "\n"
}

/// A line for each connection (Java: `ServerCnxn.dumpConnectionInfo`).
pub(super) fn connections(front: &Front, brief: bool, text: &mut String) {
    for connection in front.desk().describe() {
        *text += &line(&connection, brief);
    }
}

fn line(connection: &Described<'_>, brief: bool) -> String {
    let Described { address, session, timeout, outstanding, interest, stats, .. } = connection;
    let mut line = format!(" /{address}[{interest:x}](queued={outstanding},recved={},sent={}", stats.received, stats.sent);
    if !brief && *session != 0 {
        line += &format!(",sid=0x{session:x},lop={},est={},to={timeout}", stats.last_operation, stats.established);
        if stats.last_xid >= 0 {
            line += &format!(",lcxid=0x{:x}", stats.last_xid);
        }
        line += &format!(
            ",lzxid=0x{:x},lresp={},llat={},minlat={},avglat={},maxlat={}",
            stats.last_zxid,
            stats.last_response,
            stats.last_latency,
            stats.least_latency(),
            stats.mean_latency(),
            stats.greatest_latency()
        );
    }
    line + ")\n"
}

/// `dump`: sessions, ephemeral nodes, connections (Java: `DumpCommand`).
pub(super) fn dump(front: &Front) -> String {
    let (core, tree) = (front.core(), front.core().tree());
    let now = core.clock().now();
    let mut text = "SessionTracker dump:\n".to_owned();
    if matches!(core.mode(), Mode::Leader | Mode::Standalone) {
        let expiries = tree.session_expiries();
        let named = expiries.into_iter().map(|(at, ids)| (at, ids.into_iter().map(|id| format!("0x{id:x}")).collect()));
        text += "Session ";
        sets(named.collect(), now, &mut text);
    } else {
        let sessions = tree.sessions();
        text += &format!("Global Sessions({}):\n", sessions.len());
        for (id, timeout) in sessions {
            text += &format!("0x{id:x}\t{timeout}ms\n");
        }
    }
    let ephemerals = tree.ephemerals();
    text += &format!("ephemeral nodes dump:\nSessions with Ephemerals ({}):\n", ephemerals.len());
    for (id, paths) in ephemerals {
        text += &format!("0x{id:x}:\n");
        for path in paths {
            text += &format!("\t{path}\n");
        }
    }
    let mut silences: BTreeMap<Instant, Vec<String>> = BTreeMap::new();
    for Described { address, session, silence_ends, .. } in front.desk().describe() {
        silences.entry(silence_ends).or_default().push(format!("ip: /{address} sessionId: 0x{session:x}"));
    }
    text += "Connections dump:\nConnections ";
    sets(silences, now, &mut text);
    text
}

/// What ends when (Java: `ExpiryQueue.dump`).
fn sets(sets: BTreeMap<Instant, Vec<String>>, now: Instant, text: &mut String) {
    let all: usize = sets.values().map(Vec::len).sum();
    *text += &format!("Sets ({})/({all}):\n", sets.len());
    for (at, members) in sets {
        let wall = wall().0 + at.since(now);
        let millis = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        *text += &format!("{} expire at {}:\n", members.len(), date(millis));
        for member in members {
            *text += &format!("\t{member}\n");
        }
    }
}

/// `hash`: digests of the tree (Java: `DigestCommand`).
pub(super) fn hash(front: &Front) -> String {
    let tree = front.core().tree();
    tree.digest_log().map(|(position, digest)| format!("{:x}: {}\n", position.zxid(), digest as i64)).collect()
}

/// `wchs`.
pub(super) fn wchs(front: &Front) -> String {
    let znodes::WatchSummary { watchers, paths, watches } = front.desk().watches().summary();
    format!("{watchers} connections watching {paths} paths\nTotal watches:{watches}\n")
}

/// `wchc`: by session.
pub(super) fn wchc(front: &Front) -> String {
    let desk = front.desk();
    let mut text = String::new();
    for (&watcher, paths) in desk.watches().by_watcher() {
        text += &format!("0x{:x}\n", desk.session_of(watcher));
        for path in paths {
            text += &format!("\t{path}\n");
        }
    }
    text + "\n"
}

/// `wchp`: by path.
pub(super) fn wchp(front: &Front) -> String {
    let desk = front.desk();
    let mut text = String::new();
    for (path, watchers) in desk.watches().by_path() {
        text += &format!("{path}\n");
        for watcher in watchers {
            text += &format!("\t0x{:x}\n", desk.session_of(watcher));
        }
    }
    text + "\n"
}
