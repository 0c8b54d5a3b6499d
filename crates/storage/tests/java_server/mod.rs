//! A Java ZooKeeper on its own, and its tools, as `cargo xtask peers` left them.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What is in `target/peers`. `None` where it was not fetched: the test says that it is skipped. In CI nothing is skipped.
pub(crate) fn peer(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("QUORATE_PEERS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/peers"), PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path.canonicalize().expect("a path that exists"));
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing: run `cargo xtask peers`", path.display());
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {name} is missing; `cargo xtask peers` fetches it");
    None
}

/// One version of Java ZooKeeper.
pub(crate) struct Java {
    java: PathBuf,
    classpath: String,
}

impl Java {
    pub(crate) fn find(bundle: &str) -> Option<Java> {
        let (java, folder) = (peer("java/bin/java")?, peer(bundle)?);
        let jars = fs::read_to_string(folder.join("classpath")).expect("a file classpath");
        let classpath: Vec<String> = jars.lines().map(|jar| folder.join(jar).display().to_string()).collect();
        Some(Java { java, classpath: classpath.join(":") })
    }

    fn command(&self, class: &str) -> Command {
        let mut command = Command::new(&self.java);
        command.args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &self.classpath, class]);
        command
    }

    /// What a tool prints about a file.
    pub(crate) fn print(&self, class: &str, arguments: &[&str]) -> String {
        let output = self.command(class).args(arguments).output().expect("a Java that starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{class}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// Starts a server of its own on `data`, with these lines in its configuration, and waits until it serves.
    pub(crate) fn serve(&self, data: &Path, lines: &[&str]) -> Server<'_> {
        let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").port();
        let mut config = format!(
            "dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n\
             4lw.commands.whitelist=*\ntickTime=2000\n",
            data.display()
        );
        lines.iter().for_each(|line| config += &format!("{line}\n"));
        let place = data.with_extension("cfg");
        fs::write(&place, config).expect("a zoo.cfg");
        let log = data.with_extension("log");
        let output = File::create(&log).expect("a log file");
        let child = self
            .command("org.apache.zookeeper.server.quorum.QuorumPeerMain")
            .arg(place)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .spawn()
            .expect("a Java that starts");
        let mut server = Server { java: self, port, log, child };
        server.wait_serving();
        server
    }
}

/// A server that runs. It is killed when it is dropped.
pub(crate) struct Server<'a> {
    java: &'a Java,
    port: u16,
    log: PathBuf,
    child: Child,
}

impl Server<'_> {
    fn wait_serving(&mut self) {
        let start = Instant::now();
        while !self.say("srvr").is_some_and(|answer| answer.contains("Mode:")) {
            let ended = self.child.try_wait().expect("an exit status").is_some();
            assert!(!ended && start.elapsed() < Duration::from_secs(60), "the server does not serve:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn say(&self, word: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        stream.write_all(word.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// All that it logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What its command-line client prints.
    pub(crate) fn client(&self, commands: &str) -> String {
        let mut client = self
            .java
            .command("org.apache.zookeeper.ZooKeeperMain")
            .args(["-server", &format!("127.0.0.1:{}", self.port)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a Java that starts");
        let mut input = client.stdin.take().expect("its input");
        let commands = format!("{commands}\nquit\n");
        let feeder = std::thread::spawn(move || input.write_all(commands.as_bytes()));
        let output = client.wait_with_output().expect("its output");
        feeder.join().expect("a thread").expect("a client that listens");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn kill(mut self) -> String {
        self.child.kill().expect("a signal");
        self.child.wait().expect("an exit status");
        self.log()
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
