//! One server: its folder, its program, and what it says of itself in four letters.

use crate::support::{peer, tail, wait};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Whose program a server runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Quorate,
    /// Java ZooKeeper 3.9.3.
    Java393,
    /// Java ZooKeeper 3.8.0.
    Java380,
}

impl Kind {
    pub fn is_java(self) -> bool {
        self != Kind::Quorate
    }
}

pub struct Server {
    pub kind: Kind,
    pub name: String,
    pub client: u16,
    pub admin: u16,
    /// Its dataDir.
    pub dir: PathBuf,
    config: PathBuf,
    log: PathBuf,
    environment: Vec<(String, String)>,
    child: Option<Child>,
    /// How often it was started.
    pub starts: u32,
}

impl Server {
    pub(super) fn prepare(
        kind: Kind,
        id: u8,
        client: u16,
        admin: u16,
        root: &Path,
        mut lines: Vec<String>,
        environment: &[(&str, &str)],
    ) -> Server {
        let name = format!("z{id}");
        let dir = root.join(&name);
        fs::create_dir_all(&dir).expect("a folder for the server");
        fs::write(dir.join("myid"), id.to_string()).expect("a file myid");
        lines.push(format!("dataDir={}", dir.display()));
        lines.push(format!("clientPort={client}"));
        lines.push("clientPortAddress=127.0.0.1".to_owned());
        lines.push(format!("admin.serverPort={admin}"));
        let config = root.join(format!("{name}.cfg"));
        fs::write(&config, lines.join("\n") + "\n").expect("a zoo.cfg");
        Server {
            kind,
            client,
            admin,
            dir,
            config,
            log: root.join(format!("{name}.log")),
            environment: environment.iter().map(|&(key, value)| (key.into(), value.into())).collect(),
            child: None,
            starts: 0,
            name,
        }
    }

    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "{} runs", self.name);
        self.starts += 1;
        let mut command = match self.kind {
            Kind::Quorate => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
                command.arg("zookeeper").envs(self.environment.iter().map(|(key, value)| (key, value)));
                command
            }
            Kind::Java393 => java("zookeeper-3.9.3", &[], "org.apache.zookeeper.server.quorum.QuorumPeerMain"),
            Kind::Java380 => java("zookeeper-3.8.0", &[], "org.apache.zookeeper.server.quorum.QuorumPeerMain"),
        };
        let log = File::options().create(true).append(true).open(&self.log).expect("a log file");
        let child = command
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", self.name));
        self.child = Some(child);
    }

    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running server").id()
    }

    pub fn kill(&mut self) {
        self.signal_kill();
        self.reap();
    }

    pub(super) fn signal_kill(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().expect("a signal");
        }
    }

    pub(super) fn reap(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.wait().expect("an exit status");
        }
    }

    /// Sends the signal `name`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().expect("the command kill");
        assert!(sent.success());
    }

    /// Asks the server to stop and waits until it has.
    pub fn terminate(&mut self) {
        self.signal("TERM");
        let child = self.child.as_mut().expect("a running server");
        wait("the server to stop", || child.try_wait().expect("an exit status").is_some());
        self.child = None;
    }

    /// Goes on with the same folder under another program. Does not wait until it serves.
    pub fn restart_as(&mut self, kind: Kind) {
        if self.child.is_some() {
            self.terminate();
        }
        self.kind = kind;
        self.spawn();
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.client)
    }

    /// The answer to a four-letter word.
    pub fn say(&self, word: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address()).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        stream.write_all(word.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// leader, follower, observer or standalone; `None` if it does not serve.
    pub fn mode(&self) -> Option<String> {
        Some(self.say("srvr")?.lines().find_map(|line| line.strip_prefix("Mode: "))?.to_owned())
    }

    /// The last zxid that it applied, as `srvr` prints it.
    pub fn zxid(&self) -> Option<String> {
        Some(self.say("srvr")?.lines().find_map(|line| line.strip_prefix("Zxid: "))?.to_owned())
    }

    /// The value behind a key of `mntr`.
    pub fn monitored(&self, key: &str) -> Option<String> {
        Some(self.say("mntr")?.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('\t'))?.to_owned())
    }

    pub fn wait_serving(&self) {
        wait(&format!("{} ({:?}) to serve", self.name, self.kind), || {
            assert!(self.is_alive(), "{} ({:?}) ended; its log ends:\n{}", self.name, self.kind, self.end_of_log(3_000));
            self.mode().is_some()
        });
    }

    /// Whether the process that was started still runs. A zombie is one that ended.
    fn is_alive(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
    }

    /// All that it logged, under whatever program.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Whether these bytes are in one of its transaction logs.
    pub fn has_logged(&self, text: &str) -> bool {
        let Ok(files) = fs::read_dir(self.dir.join("version-2")) else { return false };
        let logs = files
            .flatten()
            .map(|file| file.path())
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log.")));
        let holds = |bytes: Vec<u8>| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        logs.flat_map(fs::read).any(holds)
    }

    pub fn end_of_log(&self, bytes: usize) -> String {
        tail(&self.log, bytes)
    }
}

/// A Java program with the classpath of `bundle` and `more`, small and quick to start.
pub fn java(bundle: &str, more: &[PathBuf], class: &str) -> Command {
    let needed = |name: &str| peer(name).expect("checked by the test before it began");
    let folder = needed(bundle);
    let jars = fs::read_to_string(folder.join("classpath")).expect("a file classpath");
    let jars = jars.lines().map(|jar| folder.join(jar)).chain(more.iter().cloned());
    let mut command = Command::new(needed("java/bin/java"));
    command
        .args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.showDateTime=true"])
        // Of a TRUNC it tells in a whisper.
        .arg("-Dorg.slf4j.simpleLogger.log.org.apache.zookeeper.server.quorum.LearnerHandler=debug")
        .args(["-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS", "-cp"])
        .arg(jars.map(|jar| jar.display().to_string()).collect::<Vec<_>>().join(":"))
        .arg(class);
    command
}
