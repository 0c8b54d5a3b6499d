//! Commands that go on until somebody ends them: `watch`, `lease keep-alive`, `lock`, `elect`.

use crate::etcdctl::side::{Side, Step};
use crate::support::compare::{Printed, command};
use crate::support::http_get;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A command that runs, and what it has said so far.
pub struct Stream {
    child: Child,
    stdin: Option<ChildStdin>,
    said: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<Vec<u8>>>,
}

impl Stream {
    /// Starts `step`; what is to be typed is typed, and standard input stays open.
    pub fn start(program: &Path, side: &Side, step: &Step) -> Stream {
        let arguments = side.resolve(step);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut child = command(program, side.endpoint(0), &arguments).spawn().expect("etcdctl starts");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(step.input.as_bytes()).expect("it reads");
        let said = Arc::new(Mutex::new(Vec::new()));
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        let readers = vec![read(stdout, said.clone()), read(stderr, Arc::default())];
        Stream { child, stdin: Some(stdin), said, readers }
    }

    /// Waits until it has printed `text` so many times, or has ended. False after half a minute.
    pub fn wait_for(&mut self, text: &str, times: usize) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(30) {
            let ended = self.child.try_wait().expect("a status").is_some();
            let said = String::from_utf8_lossy(&self.said.lock().expect("not poisoned")).matches(text).count();
            if said >= times {
                return true;
            }
            if ended {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// Whether it says nothing for a second.
    pub fn is_silent(&mut self) -> bool {
        std::thread::sleep(Duration::from_secs(1));
        self.said.lock().expect("not poisoned").is_empty()
    }

    /// Ends it, if it has not ended by itself; its exit code is compared only if it has. Not by SIGINT: what runs in the background may
    /// ignore that.
    pub fn end(mut self, side: &Side) -> Printed {
        let by_itself = self.child.try_wait().expect("a status");
        if by_itself.is_none() {
            kill_process(Pid::from_child(&self.child), Signal::TERM).expect("a process of ours");
        }
        self.finish(by_itself.is_some(), side)
    }

    /// Waits until it ends by itself.
    pub fn join(self, side: &Side) -> Printed {
        self.finish(true, side)
    }

    fn finish(mut self, by_itself: bool, side: &Side) -> Printed {
        // Standard input ends only for who waits for that: `watch -i` complains of it.
        if by_itself {
            drop(self.stdin.take());
        }
        let status = self.child.wait().expect("a status");
        let mut said = self.readers.drain(..).map(|reader| reader.join().expect("a reader ends"));
        let mut text = || String::from_utf8_lossy(&said.next().expect("one of two")).into_owned();
        let (stdout, mut stderr) = (text(), text());
        if !by_itself {
            // What it was asking when it was ended, if anything, is chance.
            stderr = stderr.lines().filter(|line| !line.contains("context canceled")).map(|line| format!("{line}\n")).collect();
        }
        side.mask(&Printed { code: status.code().filter(|_| by_itself), stdout, stderr })
    }
}

fn read(mut from: impl Read + Send + 'static, said: Arc<Mutex<Vec<u8>>>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(size @ 1..) = from.read(&mut piece) {
            said.lock().expect("not poisoned").extend_from_slice(&piece[..size]);
        }
        std::mem::take(&mut *said.lock().expect("not poisoned"))
    })
}

/// A watch, what happens meanwhile, and what it prints last.
pub struct Watch {
    pub step: Step,
    pub meanwhile: Vec<Step>,
    pub until: &'static str,
    /// How often it prints that; never, if it is to be silent.
    pub times: usize,
    /// Only lines that begin so are compared, as a set.
    pub only: Option<&'static str>,
}

impl Watch {
    pub fn new(step: Step, meanwhile: Vec<Step>, until: &'static str) -> Watch {
        Watch { step, meanwhile, until, times: 1, only: None }
    }

    /// Two watchers print it.
    pub fn twice(self) -> Watch {
        Watch { times: 2, ..self }
    }

    /// Nobody prints anything, for a second.
    pub fn silent(self) -> Watch {
        Watch { times: 0, ..self }
    }

    pub fn only(self, prefix: &'static str) -> Watch {
        Watch { only: Some(prefix), ..self }
    }

    pub fn run(&self, program: &Path, side: &Side) -> Printed {
        let before = watchers(side);
        let mut stream = Stream::start(program, side, &self.step);
        if !self.meanwhile.is_empty() {
            wait_for_a_watcher(side, before, &mut stream);
        }
        for step in &self.meanwhile {
            side.run(program, step);
        }
        let complete = if self.times == 0 { stream.is_silent() } else { stream.wait_for(self.until, self.times) };
        let mut printed = stream.end(side);
        if let Some(prefix) = self.only {
            let mut lines: Vec<&str> = printed.stdout.lines().filter(|line| line.starts_with(prefix)).collect();
            lines.sort_unstable();
            printed.stdout = lines.join("\n");
        }
        if !complete {
            printed.stderr.push_str("(it did not print what was waited for)");
        }
        printed
    }
}

/// How many watchers the members count, by their own metrics.
fn watchers(side: &Side) -> Option<u64> {
    let count = |offset: usize| -> Option<u64> {
        let metrics = http_get(side.endpoint(offset), "/metrics")?;
        let line = metrics.lines().find(|line| line.starts_with("etcd_debugging_mvcc_watcher_total "))?;
        line.split(' ').nth(1)?.trim().parse().ok()
    };
    (0..3).map(count).sum()
}

/// Nothing shall happen before the watch stands; one that is refused never does.
fn wait_for_a_watcher(side: &Side, before: Option<u64>, stream: &mut Stream) {
    let before = before.expect("a member counts its watchers (etcd_debugging_mvcc_watcher_total)");
    let begin = Instant::now();
    while watchers(side).is_none_or(|now| now <= before) && stream.child.try_wait().expect("a status").is_none() {
        assert!(begin.elapsed() < Duration::from_secs(30), "no watch was made");
        std::thread::sleep(Duration::from_millis(10));
    }
}
