//! What clients of the survivors notice when the leader of an ensemble dies. `quorate bench failover` measures it; here only the
//! mechanism is held to account, with timings so far apart that a slow machine changes nothing.

mod support;

use serde_json::Value;
use std::process::Command;
use support::count;

fn measure(kills: u32, more: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(["bench", "failover", "--peer=quorate-zookeeper", "--json", "--kills", &kills.to_string()]).args(more);
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
fn a_killed_leader_is_replaced_without_waiting_for_any_timer() {
    // Ticks of ten seconds: whoever waited for one would be seen.
    let measured = measure(count("QUORATE_KILLS", 5), &["--tick-time=10000"]);
    assert!(milliseconds(&measured, "first_ack_ms", "max") < 5_000, "{measured}");
}

#[test]
fn a_leader_that_hangs_is_replaced_once_it_was_silent_for_too_long() {
    let measured = measure(3, &["--hang", "--tick-time=200", "--sync-limit=5"]);
    // Not before: its link stands, so only the clock can tell.
    assert!(milliseconds(&measured, "first_ack_ms", "min") >= 500, "{measured}");
}
