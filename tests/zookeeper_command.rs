//! `quorate zookeeper` from outside: what it says to a wrong file, its exit codes, and the names under which it can be called.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const QUORATE: &str = env!("CARGO_BIN_EXE_quorate");

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a server that does not live long, by a zoo.cfg in a folder of its own.
fn run(text: &str) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = write(folder.path(), text);
    Command::new(QUORATE).arg("zookeeper").arg(file).output().expect("the binary runs")
}

fn write(folder: &Path, text: &str) -> String {
    let file = folder.join("zoo.cfg");
    std::fs::write(&file, format!("dataDir={}\n{text}\n", folder.join("data").display())).expect("a file");
    file.to_str().expect("plain letters").to_owned()
}

#[test]
fn wrong_files_end_with_javas_exit_codes_and_name_key_value_line_and_what_would_be_right() {
    for (text, code, sentence) in [
        ("tickTime=soon", 2, "zoo.cfg, line 2: tickTime=soon should be a whole number from 1 to 2147483647"),
        ("tikTime=1", 2, "zoo.cfg, line 2: tikTime is no key; is it meant to be tickTime?"),
        ("server.2=a:1:2\nserver.2=b:1:2", 2, "zoo.cfg, line 3: server.2 is already on line 2, and should be there once"),
        ("sslQuorum=true", 2, "zoo.cfg, line 2: sslQuorum=true is not built yet, and ignoring it could do harm"),
        ("datadir.autocreate=false", 3, "is not there, and datadir.autocreate=false; it should be a folder"),
    ] {
        let output = run(text);
        assert_eq!(output.status.code(), Some(code), "{text}: {}", said(&output));
        assert!(said(&output).contains(sentence), "{text}: {}", said(&output));
        assert_eq!(said(&output).lines().count(), 1, "{text}: {}", said(&output));
    }
    let output = Command::new(QUORATE).arg("zookeeper").output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("usage: quorate zookeeper ZOO.CFG"), "{}", said(&output));
}

#[test]
fn a_port_that_is_taken_is_told_by_the_exit_code() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("its address").port();
    let alone = "clientPort=0\nclientPortAddress=127.0.0.1\n";
    let others =
        format!("standaloneEnabled=false\ninitLimit=5\nsyncLimit=2\nadmin.enableServer=false\nserver.1=127.0.0.1:1:{port}");
    for (text, code) in [
        (format!("{alone}admin.serverPort={port}"), 4),
        (format!("admin.enableServer=false\nclientPort={port}\nclientPortAddress=127.0.0.1"), 1),
        (format!("{alone}{others}"), 14),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("data")).expect("a folder");
        std::fs::write(folder.path().join("data/myid"), "1\n").expect("a file myid");
        let file = write(folder.path(), &text.replace("127.0.0.1:1:", &format!("127.0.0.1:{}:", free())));
        let output = Command::new(QUORATE).arg("zookeeper").arg(file).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(code), "{text}: {}", said(&output));
        assert!(said(&output).contains(&format!("cannot listen on 127.0.0.1:{port}")), "{text}: {}", said(&output));
    }
}

fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a free port").port()
}

#[test]
fn a_link_called_zkserver_is_a_drop_in() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "clientPort=0\nclientPortAddress=127.0.0.1\nadmin.enableServer=false");
    let link = folder.path().join("zkServer.sh");
    symlink(QUORATE, &link).expect("a link");
    let mut server = Command::new(&link)
        .arg("start-foreground")
        .env("ZOOCFGDIR", folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the link runs");
    let log = BufReader::new(server.stderr.take().expect("its log"));
    let ready = log.lines().map_while(Result::ok).any(|line| line.contains("ready to serve client requests"));
    let ended = Command::new("kill").arg(server.id().to_string()).status().expect("kill runs");
    assert!(ready && ended.success());
    assert_eq!(server.wait().expect("an exit status").code(), Some(0));

    let stop = Command::new(&link).arg("stop").output().expect("the link runs");
    assert_eq!(stop.status.code(), Some(2));
    assert!(said(&stop).contains("stop: only start-foreground is done here"), "{}", said(&stop));
    let plain = folder.path().join("zookeeper");
    symlink(QUORATE, &plain).expect("a link");
    let help = Command::new(&plain).arg("--help").output().expect("the link runs");
    assert!(String::from_utf8_lossy(&help.stdout).contains("start-foreground [ZOO.CFG]"));
}
