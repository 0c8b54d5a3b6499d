//! What clients of the survivors notice when the leader dies, at etcd's default timings. `quorate bench failover` measures it.

mod support;

use serde_json::Value;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use support::count;

/// The election timeout, in milliseconds.
const ELECTION: u64 = 1000;

/// From so many on, a median says something about a distribution that is as wide as its mean.
const MANY: u64 = 20;

/// One measurement at a time: they would disturb each other.
static ALONE: Mutex<()> = Mutex::new(());

fn measure(kills: u64, more: &[&str]) -> Value {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(["bench", "failover", "--json", "--kills", &kills.to_string()]).args(more);
    let output = command.output().expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    eprintln!("{said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn milliseconds(measured: &Value, what: &str, which: &str) -> u64 {
    measured[what][which].as_u64().unwrap_or_else(|| panic!("{measured}"))
}

#[test]
fn a_killed_leader_is_replaced_long_before_any_timeout_and_no_put_waits_for_seconds() {
    let measured = measure(u64::from(count("QUORATE_KILLS", 5)), &[]);
    assert!(milliseconds(&measured, "first_ack_ms", "median") <= 100, "{measured}");
    assert!(milliseconds(&measured, "longest_wait_ms", "max") <= 1000, "{measured}");
}

#[test]
fn a_leader_that_hangs_is_replaced_within_little_more_than_two_election_timeouts() {
    let kills = u64::from(count("QUORATE_KILLS", 3));
    let measured = measure(kills, &["--hang"]);
    assert!(milliseconds(&measured, "first_ack_ms", "max") <= ELECTION * 22 / 10, "{measured}");
    if kills >= MANY {
        assert!(milliseconds(&measured, "first_ack_ms", "median") <= ELECTION * 15 / 10, "{measured}");
    }
}
