//! A load of writes, ephemerals, locks and watches, in a process of its own, that knows what it was promised.

use super::{Ensemble, python};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Stdio};

pub struct Load {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Load {
    /// Begins, against the servers of `ensemble`.
    pub fn start(ensemble: &Ensemble) -> Load {
        Load::start_on(&ensemble.hosts())
    }

    pub fn start_on(hosts: &str) -> Load {
        let mut command = python("load.py", &[hosts]);
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
    pub fn wait_progress(&mut self) {
        writeln!(self.child.stdin.as_mut().expect("piped"), "progress").expect("the load reads");
        assert_eq!(self.line(), "progressed");
    }

    /// Ends it; everything that it was promised must hold.
    pub fn finish(mut self) {
        drop(self.child.stdin.take());
        let mut printed = String::new();
        self.lines.read_to_string(&mut printed).expect("the load's output");
        let status = self.child.wait().expect("an exit status");
        assert!(status.success(), "{printed}");
        println!("{}", printed.trim_end());
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
