use super::*;

fn from(line: &str, environment: &[(&str, &str)]) -> Result<Given, ConfigFault> {
    let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    match read(&arguments, environment)? {
        Asked::Member(given) => Ok(given),
        other => panic!("not a member: {other:?}"),
    }
}

fn refused(line: &str, environment: &[(&str, &str)]) -> String {
    from(line, environment).expect_err("it should have been refused").to_string()
}

#[test]
fn flags_come_in_gos_forms() {
    for line in ["-name m1", "--name m1", "-name=m1", "--name=m1", "--pre-vote --name m1", "--name m2 --name m1"] {
        assert_eq!(from(line, &[]).expect("valid").text("name"), "m1", "{line}");
    }
    assert!(!from("--pre-vote=false", &[]).expect("valid").bool("pre-vote"));
    assert!(!from("--pre-vote=F", &[]).expect("valid").bool("pre-vote"));
    // A bool does not take the next word for its value.
    assert_eq!(refused("--pre-vote false", &[]), "'false' is not a valid flag");
    assert!(matches!(read(&["-h".to_owned()], std::iter::empty()), Ok(Asked::Help)));
    assert!(matches!(read(&["--version".to_owned()], std::iter::empty()), Ok(Asked::Version)));
}

#[test]
fn a_flag_outranks_its_variable_and_a_variable_the_default() {
    let environment = [("ETCD_NAME", "from-environment"), ("ETCD_ELECTION_TIMEOUT", "2000"), ("ETCD_DATA_DIR", "")];
    let given = from("--name m1", &environment).expect("valid");
    assert_eq!((given.text("name"), given.number("election-timeout"), given.number("heartbeat-interval")), ("m1", 2000, 100));
    assert!(given.warnings[0].contains("ETCD_NAME is ignored"), "{:?}", given.warnings);
    assert!(!given.is_given("data-dir"), "an empty variable is none");
}

#[test]
fn an_unknown_flag_stops_the_start_and_names_the_nearest() {
    assert_eq!(refused("--nmae m1", &[]), "flag provided but not defined: -nmae; is it meant to be --name?");
    assert_eq!(refused("--frobnicate", &[]), "flag provided but not defined: -frobnicate");
    assert_eq!(from("--frobnicate", &[]).expect_err("unknown").exit_code(), 2);
}

#[test]
fn an_unknown_variable_only_warns() {
    assert_eq!(from("", &[("ETCD_VERSION", "3.5.16")]).expect("an image's label").warnings, Vec::<String>::new());
    let given = from("", &[("ETCD_SERVICE_HOST", "10.0.0.1"), ("ETCD_NMAE", "m1"), ("PATH", "/bin")]).expect("valid");
    assert_eq!(given.warnings.len(), 2, "{:?}", given.warnings);
    assert!(given.warnings[0].contains("is it meant to be ETCD_NAME?"));
}

#[test]
fn a_bad_value_is_named_with_its_key_and_what_would_be_right() {
    for (line, environment, sentence) in [
        (
            "--heartbeat-interval x",
            [("A", "")],
            "invalid value \"x\" for flag -heartbeat-interval: expected a whole number from 0 to 4294967295",
        ),
        (
            "--initial-cluster-state old",
            [("A", "")],
            "invalid value \"old\" for flag -initial-cluster-state: expected new or existing",
        ),
        ("", [("ETCD_PRE_VOTE", "maybe")], "invalid value \"maybe\" for ETCD_PRE_VOTE: expected true or false"),
        ("--name", [("A", "")], "flag needs an argument: -name"),
        ("member", [("A", "")], "'member' is not a valid flag"),
    ] {
        assert_eq!(refused(line, &environment), sentence);
    }
}

#[test]
fn what_is_not_built_is_refused_where_ignoring_it_could_do_harm() {
    for line in [
        "--client-cert-auth",
        "--cert-file a.pem",
        "--peer-trusted-ca-file ca.pem",
        "--auto-tls=true",
        "--auth-token jwt,pub-key=a",
        "--force-new-cluster",
        "--discovery-srv example.com",
        "--host-whitelist example.com",
        "--proxy on",
        "--wal-dir /elsewhere",
    ] {
        assert!(refused(line, &[]).contains("is not built yet, and ignoring it could do harm"), "{line}");
    }
    assert!(refused("", &[("ETCD_CERT_FILE", "a.pem")]).starts_with("ETCD_CERT_FILE is not built yet"));
}

#[test]
fn what_is_not_built_and_harmless_warns_once_and_says_why() {
    let given = from("--enable-pprof --backend-batch-limit 8589934592 --logger=zap", &[]).expect("valid");
    assert_eq!(given.warnings.len(), 2, "{:?}", given.warnings);
    assert!(given.warnings.iter().all(|warning| warning.contains("has no effect: ")));
}

#[test]
fn values_that_mean_off_are_neither_refused_nor_warned_of() {
    let line = "--client-cert-auth=false --auth-token=simple --host-whitelist=* --cors= --proxy=off --quota-backend-bytes=0 \
                --auto-compaction-retention=0 --wal-dir= --unsafe-no-fsync=false --experimental-initial-corrupt-check=false";
    let given = from(line, &[]).expect("valid");
    assert_eq!(given.warnings, Vec::<String>::new());
}

/// A file of this text, gone with the value, and its path.
fn file(text: &str) -> (tempfile::NamedTempFile, String) {
    let file = tempfile::NamedTempFile::new().expect("the temporary folder can be written");
    std::fs::write(file.path(), text).expect("the temporary folder can be written");
    let path = file.path().to_str().expect("a path of plain letters").to_owned();
    (file, path)
}

#[test]
fn a_file_excludes_flags_and_variables() {
    let (_file, path) = file("name: 'm1'\nheartbeat-interval: 50\ndata-dir:\nlog-outputs: [stderr, /tmp/x.log]\n");
    let given =
        from(&format!("--config-file {path} --name m2 --election-timeout 3000"), &[("ETCD_SNAPSHOT_COUNT", "7")]).expect("valid");
    assert_eq!((given.text("name"), given.number("heartbeat-interval"), given.text("data-dir")), ("m1", 50, ""));
    assert_eq!((given.number("election-timeout"), given.number("snapshot-count")), (1000, 100_000));
    assert_eq!(given.words("log-outputs"), ["stderr", "/tmp/x.log"]);
    assert!(given.warnings[0].contains("are ignored, because the file"), "{:?}", given.warnings);
    let from_environment = from("", &[("ETCD_CONFIG_FILE", &path)]).expect("valid");
    assert_eq!(from_environment.text("name"), "m1");
}

#[test]
fn the_files_sections_and_spans_are_read_as_etcd_reads_them() {
    let (_file, path) = file("client-transport-security:\n  cert-file: a.pem\n");
    let sentence = refused(&format!("--config-file {path}"), &[]);
    assert!(sentence.starts_with("client-transport-security.cert-file is not built yet"), "{sentence}");

    let (_file, path) =
        file("peer-transport-security:\n  cert-file:\n  client-cert-auth: false\ngrpc-keepalive-timeout: 5000000000\n");
    let given = from(&format!("--config-file {path}"), &[]).expect("an empty certificate is none");
    assert_eq!(given.span("grpc-keepalive-timeout"), Duration::from_secs(5));
}

#[test]
fn an_unknown_or_bad_key_of_the_file_is_named() {
    let (_file, path) = file("heartbeat-intervall: 100\n");
    let sentence = refused(&format!("--config-file {path}"), &[]);
    assert!(
        sentence.contains("unknown key \"heartbeat-intervall\"") && sentence.ends_with("is it meant to be heartbeat-interval?"),
        "{sentence}"
    );
    let (_file, path) = file("election-timeout: soon\n");
    let sentence = refused(&format!("--config-file {path}"), &[]);
    assert_eq!(sentence, "invalid value \"soon\" for key election-timeout: expected a whole number from 0 to 4294967295");
    assert!(refused("--config-file /nowhere.yml", &[]).contains("cannot use the configuration file /nowhere.yml"));
}
