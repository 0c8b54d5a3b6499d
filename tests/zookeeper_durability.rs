//! Every acknowledged write outlives the death of all servers at once, and so do sessions: on the real disk, where the page cache
//! survives the process, and on a disk that keeps unsynced writes in process memory, where kill -9 is a power failure.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::Duration;
use support::count;
use support::zookeeper::{Ensemble, Kind, Setup, peers, python};

fn acknowledged_writes_survive(kind: Kind, kills: u32, environment: &[(&str, &str)]) {
    if !peers() {
        return;
    }
    // Snapshots are taken under load, too: what they hold and what the log holds must fit.
    let setup = Setup { settings: &["snapCount=2000"], environment, ..Setup::default() };
    let mut ensemble = Ensemble::start_with(&[kind; 3], &setup);
    let addresses: Vec<String> = ensemble.servers.iter().map(|server| server.address()).collect();
    let mut command = python("survivors.py", &addresses.iter().map(String::as_str).collect::<Vec<_>>());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 runs");
    let mut said = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut tell = |word: &str| {
        writeln!(child.stdin.as_mut().expect("piped"), "{word}").expect("the clients listen");
        said.next().unwrap_or_else(|| panic!("the clients failed; see above")).expect("a line")
    };
    for round in 0..kills {
        assert_eq!(tell("load"), "loading");
        // Die at another moment each time.
        std::thread::sleep(Duration::from_millis(300 + u64::from(round) * 137 % 700));
        ensemble.kill_all();
        ensemble.respawn_all();
        let checked = tell("check");
        println!("round {round}: {checked} writes");
    }
    drop(child.stdin.take());
    assert!(child.wait().expect("an exit status").success());
}

#[test]
fn acknowledged_writes_survive_the_death_of_all() {
    acknowledged_writes_survive(Kind::Quorate, count("QUORATE_KILLS", 5), &[]);
}

#[test]
fn acknowledged_writes_survive_a_power_failure_of_all() {
    acknowledged_writes_survive(Kind::Quorate, count("QUORATE_KILLS", 5), &[("QUORATE_TEST_DISK", "lossy")]);
}

/// What is asked for is what Java keeps.
#[test]
fn java_alone() {
    acknowledged_writes_survive(Kind::Java393, 2, &[]);
}
