//! What the binary says to a wrong command line, and the names under which it can be called.

use std::process::{Command, Output};

fn quorate(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(arguments).output().expect("the binary runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn wrong_flags_end_with_etcds_exit_codes_and_name_key_value_and_what_would_be_right() {
    for (arguments, code, sentence) in [
        (&["--nmae", "m1"][..], 2, "flag provided but not defined: -nmae; is it meant to be --name?"),
        (&["--heartbeat-interval", "x"], 2, "invalid value \"x\" for flag -heartbeat-interval: expected a whole number"),
        (&["member"], 1, "'member' is not a valid flag"),
        (
            &["--heartbeat-interval", "300"],
            1,
            "--election-timeout[1000ms] should be at least as 5 times as --heartbeat-interval[300ms]",
        ),
        (&["--client-cert-auth"], 1, "--client-cert-auth is not built yet, and ignoring it could do harm"),
        (&["--config-file", "/nowhere.yml"], 1, "cannot use the configuration file /nowhere.yml"),
    ] {
        let output = quorate(&[&["etcd"], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(sentence), "{arguments:?}: {}", said(&output));
        assert_eq!(said(&output).lines().count(), 1, "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn a_link_called_etcd_is_a_drop_in() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let link = folder.path().join("etcd");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_quorate"), &link).expect("a link");
    let version = Command::new(&link).arg("--version").output().expect("the link runs");
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("quorate "));
    let help = Command::new(&link).arg("-h").output().expect("the link runs");
    assert!(String::from_utf8_lossy(&help.stdout).contains("--initial-cluster-token"));
    let wrong = Command::new(&link).arg("dev").output().expect("the link runs");
    assert_eq!((wrong.status.code(), said(&wrong).trim()), (Some(1), "quorate: 'dev' is not a valid flag"));
}

#[test]
fn another_systems_data_is_not_started_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir_all(folder.path().join("member/wal")).expect("a folder");
    let output = quorate(&["etcd", "--data-dir", folder.path().to_str().expect("plain letters")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("holds a Go etcd's data (member)"), "{}", said(&output));
}

#[test]
fn a_client_without_a_cluster_says_what_to_do() {
    // Port 1 of loopback: nobody listens there.
    for arguments in [&["get", "k"][..], &["put", "k", "v"], &["del", "k"], &["status"], &["member", "list"]] {
        let output = quorate(&[arguments, &["--endpoints", "127.0.0.1:1"]].concat());
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{arguments:?}");
        assert!(said(&output).contains("nobody listens there") && said(&output).contains("quorate dev"), "{}", said(&output));
    }
    let output = quorate(&["get", "k", "--endpoints", "https://127.0.0.1:1"]);
    assert!(said(&output).contains("asks for TLS, which is not built yet"), "{}", said(&output));
}
