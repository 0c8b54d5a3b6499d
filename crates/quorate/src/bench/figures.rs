//! What was measured, for people and for programs.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// One kill.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// From the kill to the first acknowledgement of a write that was sent since.
    pub(super) first_ack: Duration,
    /// The longest that a write waited for any answer.
    pub(super) longest_wait: Duration,
    /// Writes that were under way or sent since the kill.
    pub(super) writes: usize,
    /// How many of them failed, by what they were told.
    pub(super) errors: BTreeMap<String, usize>,
}

/// All of it.
pub(super) struct Measured {
    pub(super) peer: &'static str,
    pub(super) hang: bool,
    pub(super) members: u16,
    pub(super) timing: Timing,
    pub(super) rounds: Vec<Round>,
}

/// The settings, in milliseconds or ticks, that decide how soon a silent leader is missed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timing {
    Etcd { heartbeat_interval: u64, election_timeout: u64 },
    ZooKeeper { tick_time: u64, sync_limit: u64 },
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Timing::Etcd { heartbeat_interval, election_timeout } => {
                write!(f, "heartbeat {heartbeat_interval} ms, election timeout {election_timeout} ms")
            }
            Timing::ZooKeeper { tick_time, sync_limit } => write!(f, "tickTime {tick_time} ms, syncLimit {sync_limit}"),
        }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed: usize = self.errors.values().sum();
        write!(
            f,
            "first write after {} ms, longest wait {} ms, {failed} of {} writes failed",
            self.first_ack.as_millis(),
            self.longest_wait.as_millis(),
            self.writes
        )
    }
}

impl Measured {
    pub(super) fn text(&self) -> String {
        let how = if self.hang { "stopped (SIGSTOP)" } else { "killed (SIGKILL)" };
        let mut text = format!(
            "{}: the leader of {} {how} {} times; {}\n\n{:36}{:>8}{:>8}{:>8}\n",
            self.peer,
            self.members,
            self.rounds.len(),
            self.timing,
            "milliseconds",
            "min",
            "median",
            "max"
        );
        for (what, spans) in [("first acknowledged write", self.first_acks()), ("longest wait of a write", self.longest_waits())]
        {
            if let Some([min, median, max]) = spread(&spans) {
                text += &format!("{what:36}{min:>8}{median:>8}{max:>8}\n");
            }
        }
        let failed: usize = self.errors().values().sum();
        text += &format!("\n{failed} of {} writes failed\n", self.writes());
        for (error, count) in self.errors() {
            text += &format!("  {count:6}  {error}\n");
        }
        text
    }

    pub(super) fn json(&self) -> String {
        let spans = |spans: &[u64]| -> Value {
            match spread(spans) {
                Some([min, median, max]) => json!({"min": min, "median": median, "max": max, "all": spans}),
                None => Value::Null,
            }
        };
        let timing = match self.timing {
            Timing::Etcd { heartbeat_interval, election_timeout } => {
                json!({"heartbeat_interval_ms": heartbeat_interval, "election_timeout_ms": election_timeout})
            }
            Timing::ZooKeeper { tick_time, sync_limit } => json!({"tick_time_ms": tick_time, "sync_limit": sync_limit}),
        };
        let object = json!({
            "peer": self.peer,
            "hang": self.hang,
            "members": self.members,
            "timing": timing,
            "kills": self.rounds.len(),
            "first_ack_ms": spans(&self.first_acks()),
            "longest_wait_ms": spans(&self.longest_waits()),
            "writes": self.writes(),
            "failed": self.errors().values().sum::<usize>(),
            "errors": self.errors(),
        });
        format!("{object}\n")
    }

    fn first_acks(&self) -> Vec<u64> {
        self.rounds.iter().map(|round| milliseconds(round.first_ack)).collect()
    }

    fn longest_waits(&self) -> Vec<u64> {
        self.rounds.iter().map(|round| milliseconds(round.longest_wait)).collect()
    }

    fn writes(&self) -> usize {
        self.rounds.iter().map(|round| round.writes).sum()
    }

    fn errors(&self) -> BTreeMap<&str, usize> {
        let mut errors = BTreeMap::new();
        for (error, count) in self.rounds.iter().flat_map(|round| &round.errors) {
            *errors.entry(error.as_str()).or_insert(0) += count;
        }
        errors
    }
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The least, the middle and the most; of an even number, the upper of the two in the middle.
fn spread(spans: &[u64]) -> Option<[u64; 3]> {
    let mut sorted = spans.to_vec();
    sorted.sort_unstable();
    Some([*sorted.first()?, sorted[sorted.len() / 2], *sorted.last()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_in_words_and_in_json() {
        let round = |first: u64, wait: u64| Round {
            first_ack: Duration::from_millis(first),
            longest_wait: Duration::from_millis(wait),
            writes: 10,
            errors: BTreeMap::from([("etcdserver: request timed out".to_owned(), 2)]),
        };
        let measured = Measured {
            peer: "quorate",
            hang: false,
            members: 3,
            timing: Timing::Etcd { heartbeat_interval: 100, election_timeout: 1000 },
            rounds: vec![round(40, 90), round(20, 70), round(30, 80)],
        };
        let text = measured.text();
        assert!(text.contains("first acknowledged write                  20      30      40\n"), "{text}");
        assert!(text.contains("6 of 30 writes failed"), "{text}");
        let object: Value = serde_json::from_str(&measured.json()).expect("JSON");
        assert_eq!((&object["first_ack_ms"]["median"], &object["longest_wait_ms"]["max"]), (&30.into(), &90.into()));
        assert_eq!((&object["failed"], &object["first_ack_ms"]["all"]), (&6.into(), &json!([40, 20, 30])));
    }
}
