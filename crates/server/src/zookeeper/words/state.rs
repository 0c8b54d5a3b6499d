//! `srvr`, `stat` and `mntr`: how the server is.

use super::super::clients::Front;
use super::super::member::Mode;
use super::super::metrics::Sizes;
use super::{VERSION, lists, mode_name, peer_state, proposal_sizes};
use consensus::StateMachine;
use std::fmt::Write;

/// `srvr`; with its clients: `stat` (Java: `StatCommand`, `ServerStats.toString`).
pub(super) fn srvr(front: &Front, with_clients: bool) -> String {
    let mut text = format!("Zookeeper version: {VERSION}\n");
    if front.is_read_only() {
        text += "READ-ONLY mode; serving only read-only clients\n";
    }
    if with_clients {
        text += "Clients:\n";
        lists::connections(front, true, &mut text);
        text += "\n";
    }
    let (core, desk) = (front.core(), front.desk());
    let (totals, mode) = (&desk.totals, core.mode());
    let latency = &totals.latency;
    let tree = core.tree();
    write!(
        text,
        "Latency min/avg/max: {}/{:?}/{}\nReceived: {}\nSent: {}\nConnections: {}\nOutstanding: {}\nZxid: 0x{:x}\nMode: {}\nNode count: {}\n",
        latency.least(),
        latency.mean(),
        latency.greatest(),
        totals.received,
        totals.sent,
        desk.connections(),
        desk.outstanding(),
        tree.applied().zxid(),
        if front.is_read_only() { "read-only" } else { mode_name(mode) },
        tree.node_count()
    )
    .expect("a String takes everything");
    if mode == Mode::Leader {
        let Sizes { last, least, greatest } = proposal_sizes(front);
        text += &format!("Proposal sizes last/min/max: {last}/{least}/{greatest}\n");
    }
    text
}

/// `mntr` (Java: `MonitorCommand`).
pub(super) fn mntr(front: &Front) -> String {
    let mode = front.core().mode();
    let mut text =
        format!("zk_version\t{VERSION}\nzk_server_state\t{}\n", if front.is_read_only() { "read-only" } else { mode_name(mode) });
    if let Some(state) = peer_state(mode) {
        text += &format!("zk_peer_state\t{state}\n");
    }
    for (key, value) in front.seen(|seen| seen.flat()) {
        text += &format!("zk_{key}\t{value}\n");
    }
    text
}
