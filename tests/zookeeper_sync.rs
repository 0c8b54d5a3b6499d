//! How a server that was away comes back: DIFF, TRUNC and SNAP, from Java to Quorate and from Quorate to Java.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use support::wait;
use support::zookeeper::{Ensemble, Kind, Setup, assert_equal_trees, peers, python, run_python};

/// Snapshots and logs small enough that a server is soon too far behind for a DIFF.
const SMALL: [&str; 5] =
    ["snapCount=60", "commitLogCount=20", "snapshotSizeFactor=-1", "autopurge.snapRetainCount=3", "autopurge.purgeInterval=1"];

/// A third server, of the one kind, that was away from two of the other.
struct Away {
    ensemble: Ensemble,
    /// How much the logs held already.
    logged: Vec<usize>,
}

const LEARNER: usize = 2;

impl Away {
    fn start(leader: Kind, learner: Kind) -> Away {
        let ensemble = Ensemble::start_with(&[leader, leader, learner], &Setup { settings: &SMALL, ..Setup::default() });
        Away { ensemble, logged: Vec::new() }
    }

    /// The server that will be away leads at first.
    fn start_under_learner(leader: Kind, learner: Kind) -> Away {
        let mut ensemble = Ensemble::prepare(&[leader, leader, learner], &Setup { settings: &SMALL, ..Setup::default() });
        // Of two, neither leads without the other; they are as fresh as each other, so the larger id does.
        for servers in [&[0, LEARNER][..], &[1]] {
            for &server in servers {
                ensemble.servers[server].spawn();
            }
            ensemble.wait_serving();
        }
        assert_eq!(ensemble.leader(), LEARNER);
        Away { ensemble, logged: Vec::new() }
    }

    fn write(&self, to: usize, name: &str, count: u32) {
        run_python("write.py", &[&self.ensemble.servers[to].address(), name, &count.to_string()]);
    }

    fn leaves(&mut self) {
        self.ensemble.servers[LEARNER].kill();
        self.ensemble.wait_serving();
    }

    /// Brings it back, and says what either side logged about it.
    fn comes_back(&mut self) -> String {
        self.logged = self.ensemble.servers.iter().map(|server| server.log().len()).collect();
        self.ensemble.servers[LEARNER].spawn();
        self.ensemble.wait_serving();
        assert_ne!(self.ensemble.leader(), LEARNER);
        assert_equal_trees(&self.ensemble);
        let said: Vec<String> =
            self.ensemble.servers.iter().zip(&self.logged).map(|(server, &from)| server.log()[from..].to_owned()).collect();
        said.concat()
    }
}

/// What Java's and Quorate's learners and leaders log about each kind of synchronization.
fn assert_said(log: &str, leader: Kind, learner: Kind, kind: &str) {
    let (leads, learns) = match kind {
        "DIFF" => ("Sending DIFF", "Getting a diff from the leader"),
        "TRUNC" => ("Sending TRUNC", "Truncating log to get in sync with the leader"),
        _ => ("Sending snapshot", "Getting a snapshot from leader"),
    };
    let of = |java: &str, ours: &str, who: Kind| {
        let found =
            log.lines().any(|line| if who.is_java() { line.contains(java) } else { line.contains(ours) && line.contains(kind) });
        assert!(found, "{who:?} said nothing of {kind}:\n{log}");
    };
    of(leads, "brings 3 up to date", leader);
    of(learns, "is brought up to date by", learner);
}

const PAIRS: [(Kind, Kind); 4] = [
    (Kind::Java393, Kind::Quorate),
    (Kind::Java380, Kind::Quorate),
    (Kind::Quorate, Kind::Java393),
    (Kind::Quorate, Kind::Java380),
];

fn diff(leader: Kind, learner: Kind) {
    let mut away = Away::start(leader, learner);
    away.write(0, "/before", 5);
    away.leaves();
    away.write(0, "/meanwhile", 5);
    assert_said(&away.comes_back(), leader, learner, "DIFF");
}

fn snapshot(leader: Kind, learner: Kind) {
    let mut away = Away::start(leader, learner);
    away.write(0, "/before", 5);
    away.leaves();
    for round in 0..5 {
        away.write(0, &format!("/meanwhile-{round}"), 100);
    }
    // What they have in memory goes, and of the files those that older snapshots needed have gone before.
    for other in 0..LEARNER {
        away.ensemble.servers[other].kill();
        away.ensemble.servers[other].spawn();
    }
    away.ensemble.wait_serving();
    assert_said(&away.comes_back(), leader, learner, "SNAP");
    // What it was given is on its disk, not only in its memory.
    away.ensemble.kill_all();
    away.ensemble.respawn_all();
    assert_equal_trees(&away.ensemble);
}

/// The server that is away was the leader, and wrote what nobody else ever saw.
fn truncation(leader: Kind, learner: Kind) {
    let mut away = Away::start_under_learner(leader, learner);
    away.write(0, "/before", 5);
    let mut stray = python("stray.py", &[&away.ensemble.servers[LEARNER].address(), "/stray", "5"]);
    let mut stray = stray.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 runs");
    let mut lines = BufReader::new(stray.stdout.take().expect("piped"));
    let mut said = String::new();
    lines.read_line(&mut said).expect("a line");
    assert_eq!(said, "ready\n");
    // Stopped, not dead: the leader goes on to believe in them for a while. What is in their sockets dies with them.
    for follower in 0..2 {
        away.ensemble.servers[follower].signal("STOP");
    }
    writeln!(stray.stdin.as_mut().expect("piped"), "now").expect("it reads");
    wait("the leader to log what nobody else has", || away.ensemble.servers[LEARNER].has_logged("/stray-4"));
    for server in &mut away.ensemble.servers {
        server.kill();
    }
    let _ = stray.kill();
    let _ = stray.wait();
    for follower in 0..2 {
        away.ensemble.servers[follower].spawn();
    }
    // Nothing is written in the new epoch yet: across its border Java sends a snapshot instead.
    away.ensemble.wait_serving();
    assert_said(&away.comes_back(), leader, learner, "TRUNC");
    away.write(LEARNER, "/after", 5);
    assert_equal_trees(&away.ensemble);
}

#[test]
fn diff_in_both_directions() {
    if peers() {
        PAIRS.iter().for_each(|&(leader, learner)| diff(leader, learner));
    }
}

#[test]
fn truncation_in_both_directions() {
    if peers() {
        PAIRS.iter().for_each(|&(leader, learner)| truncation(leader, learner));
    }
}

#[test]
fn snapshot_in_both_directions() {
    if peers() {
        PAIRS.iter().for_each(|&(leader, learner)| snapshot(leader, learner));
    }
}

/// The scenarios bring about what they are named after.
#[test]
fn java_alone() {
    if peers() {
        diff(Kind::Java380, Kind::Java393);
        truncation(Kind::Java393, Kind::Java380);
        snapshot(Kind::Java393, Kind::Java380);
    }
}
