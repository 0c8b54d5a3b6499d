//! How positions, entries and moments are put.

use bytes::Bytes;
use consensus::{DropReason, Entry, EntryKind, Instant, NodeId};
use core::time::Duration;

/// The data of an entry of which only the position matters, made by the command `log`.
pub(crate) const FILLER: &[u8] = b".";

/// A command in quotes.
pub(crate) fn command(data: &Bytes) -> String {
    format!("\"{}\"", String::from_utf8_lossy(data))
}

/// Entries as `(1, 1) no-op, (1, 2) "x"`; runs of filler as `(4, 4)–(4, 5)`.
pub(crate) fn entries(entries: &[Entry]) -> String {
    let mut parts = Vec::new();
    let mut rest = entries;
    while let Some(first) = rest.first() {
        let run = rest.iter().take_while(|entry| is_filler(entry) && entry.position.epoch == first.position.epoch).count();
        if run > 1 {
            parts.push(format!("{}–{}", first.position, rest[run - 1].position));
        } else {
            parts.push(entry(first));
        }
        rest = &rest[run.max(1)..];
    }
    if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
}

fn is_filler(entry: &Entry) -> bool {
    entry.data == FILLER && entry.kind == EntryKind::Command
}

fn entry(entry: &Entry) -> String {
    match entry.kind {
        EntryKind::Configuration => format!("{} configuration", entry.position),
        EntryKind::Command if is_filler(entry) => entry.position.to_string(),
        EntryKind::Command if entry.data.is_empty() => format!("{} no-op", entry.position),
        EntryKind::Command => format!("{} {}", entry.position, command(&entry.data)),
    }
}

/// Members as `2, 3`.
pub(crate) fn nodes(nodes: impl IntoIterator<Item = NodeId>) -> String {
    nodes.into_iter().map(|node| node.to_string()).collect::<Vec<_>>().join(", ")
}

/// Why something will not happen.
pub(crate) fn reason(reason: DropReason) -> &'static str {
    match reason {
        DropReason::NoLeader => "nobody leads, as far as it knows",
        DropReason::NotLeader => "it does not lead",
        DropReason::Transferring => "leadership is being handed over",
        DropReason::LeaderChanged => "leadership changed before",
        DropReason::Busy => "too much is under way",
        DropReason::BadTarget => "no such voter to hand over to",
        DropReason::TimedOut => "it took longer than an election timeout",
        DropReason::Stale => "it is not newer than what is here",
        DropReason::Unsupported => "the protocol cannot do this",
    }
}

/// A span as `150 ms`, with decimals only where there are any.
pub(crate) fn span(span: Duration) -> String {
    format!("{} ms", span.as_micros() as f64 / 1e3)
}

/// A moment, as the span since the script began.
pub(crate) fn moment(moment: Instant) -> String {
    span(moment.since(Instant::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use consensus::Position;

    #[test]
    fn runs_of_filler_are_folded_by_epoch() {
        let made = |epoch, index, data: &'static [u8]| Entry {
            position: Position::new(epoch, index),
            kind: EntryKind::Command,
            data: Bytes::from_static(data),
        };
        let log = [made(1, 1, FILLER), made(1, 2, FILLER), made(2, 3, FILLER), made(2, 4, b""), made(2, 5, b"x")];
        assert_eq!(entries(&log), "(1, 1)–(1, 2), (2, 3), (2, 4) no-op, (2, 5) \"x\"");
        assert_eq!(entries(&[]), "nothing");
    }

    #[test]
    fn spans_show_decimals_only_where_there_are_any() {
        assert_eq!(span(Duration::from_millis(150)), "150 ms");
        assert_eq!(span(Duration::from_micros(1_500)), "1.5 ms");
    }
}
