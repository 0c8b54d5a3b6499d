//! Java ZooKeeper's servers and ours in one ensemble.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Stdio};
use support::zookeeper::{Ensemble, Kind, Setup, peers, python, run_python};

/// A load of writes, ephemerals, locks and watches, in a process of its own.
struct Load {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Load {
    fn start(ensemble: &Ensemble) -> Load {
        let mut command = python("load.py", &[&ensemble.hosts()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 runs");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut load = Load { child, lines };
        assert_eq!(load.line(), "running");
        load
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("the load's output");
        line.trim_end().to_owned()
    }

    /// Waits until a write was acknowledged that began from now on.
    fn wait_progress(&mut self) {
        writeln!(self.child.stdin.as_mut().expect("piped"), "progress").expect("the load reads");
        assert_eq!(self.line(), "progressed");
    }

    /// Ends it; everything that it was promised must hold.
    fn finish(mut self) -> String {
        drop(self.child.stdin.take());
        let mut printed = String::new();
        std::io::Read::read_to_string(&mut self.lines, &mut printed).expect("the load's output");
        let status = self.child.wait().expect("an exit status");
        assert!(status.success(), "{printed}");
        printed
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every server holds the same tree.
fn assert_equal_trees(ensemble: &Ensemble) {
    let addresses: Vec<String> = ensemble.servers.iter().map(|server| server.address()).collect();
    println!("{}", run_python("tree.py", &addresses.iter().map(String::as_str).collect::<Vec<_>>()).trim_end());
}

/// Restarts one server after the other as `kind`, the leader last, under `load`.
fn roll(ensemble: &mut Ensemble, load: &mut Load, kind: Kind) {
    let leader = ensemble.leader();
    for index in (0..ensemble.servers.len()).filter(|&index| index != leader).chain([leader]) {
        ensemble.servers[index].restart_as(kind);
        ensemble.wait_serving();
        load.wait_progress();
    }
}

/// What the harness itself promises, and the measure of what a rolling replacement must keep.
#[test]
fn a_rolling_restart_from_java_to_java_keeps_all() {
    if !peers() {
        return;
    }
    let mut ensemble = Ensemble::start_with(&[Kind::Java380; 3], &Setup::default());
    let mut load = Load::start(&ensemble);
    roll(&mut ensemble, &mut load, Kind::Java393);
    println!("{}", load.finish().trim_end());
    assert_equal_trees(&ensemble);
}
