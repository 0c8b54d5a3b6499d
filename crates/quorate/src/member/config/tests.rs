use super::*;
use crate::member::given::{Asked, read};

fn given(line: &str) -> Given {
    let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    match read(&arguments, std::iter::empty()) {
        Ok(Asked::Member(given)) => given,
        other => panic!("{line}: {other:?}"),
    }
}

fn built(line: &str) -> Config {
    config(&given(line), &mut Vec::new()).unwrap_or_else(|fault| panic!("{line}: {fault}"))
}

fn refused(line: &str) -> String {
    config(&given(line), &mut Vec::new()).expect_err(line).to_string()
}

#[test]
fn the_defaults_are_etcds() {
    let config = built("");
    assert_eq!((config.name.as_str(), config.data_dir.to_str()), ("default", Some("default.etcd")));
    assert_eq!(config.initial_cluster, Config::new("default", "x").initial_cluster);
    assert_eq!(config.listen_client_urls[0].as_str(), "http://localhost:2379");
    assert_eq!((config.snapshot_count, config.max_txn_ops, config.max_request_bytes), (100_000, 128, 1_572_864));
}

#[test]
fn a_name_alone_renames_the_cluster_of_one() {
    let config = built("--name m1 --listen-peer-urls http://127.0.0.1:1 --initial-advertise-peer-urls http://127.0.0.1:1");
    let names: Vec<_> = config.initial_cluster.iter().map(|member| format!("{}={}", member.name, member.peer_urls[0])).collect();
    assert_eq!(names, ["m1=http://127.0.0.1:1"]);
    assert_eq!(config.data_dir.to_str(), Some("m1.etcd"));
}

#[test]
fn a_member_may_have_several_urls() {
    let config = built(
        "--name a --initial-advertise-peer-urls http://127.0.0.1:2,http://127.0.0.1:1 \
         --initial-cluster a=http://127.0.0.1:1,b=http://127.0.0.1:3,a=http://127.0.0.1:2",
    );
    let urls: Vec<Vec<&str>> =
        config.initial_cluster.iter().map(|member| member.peer_urls.iter().map(Url::as_str).collect()).collect();
    assert_eq!(urls, [vec!["http://127.0.0.1:1", "http://127.0.0.1:2"], vec!["http://127.0.0.1:3"]]);
}

#[test]
fn broken_rules_are_refused_with_key_value_and_what_would_be_right() {
    let cluster = "--name a --initial-cluster";
    for (line, words) in [
        (
            "--heartbeat-interval 300".to_owned(),
            "--election-timeout[1000ms] should be at least as 5 times as --heartbeat-interval[300ms]",
        ),
        ("--heartbeat-interval 0".to_owned(), "--heartbeat-interval must be >0"),
        ("--election-timeout 50001".to_owned(), "--election-timeout[50001ms] is too long, and should be set less than 50000ms"),
        (
            "--listen-client-urls http://127.0.0.1:1".to_owned(),
            "--advertise-client-urls is required when --listen-client-urls is set explicitly",
        ),
        ("--listen-peer-urls http://example.com:1".to_owned(), "expected IP in URL for binding (http://example.com:1)"),
        ("--listen-peer-urls https://127.0.0.1:1".to_owned(), "asks for TLS, which is not built yet; expected http://host:port"),
        ("--advertise-client-urls http://:1".to_owned(), "unexpected empty host (http://:1)"),
        (format!("{cluster} b=http://localhost:2380"), "couldn't find local name \"a\" in the initial cluster configuration"),
        (
            format!("{cluster} a=http://localhost:2381"),
            "--initial-cluster has a=http://localhost:2381 but --initial-advertise-peer-urls has http://localhost:2380",
        ),
        (format!("{cluster} a=http://localhost:2380,b=http://localhost:2380"), "http://localhost:2380 is named twice"),
        (format!("{cluster} a"), "write name=http://host:port"),
        (format!("{cluster} ,"), "initial cluster unset and no discovery URL found"),
    ] {
        let sentence = refused(&line);
        assert!(sentence.contains(words), "{line}: {sentence}");
    }
}

#[test]
fn a_member_with_data_has_long_agreed_on_the_cluster() {
    let folder = tempfile::tempdir().expect("the temporary folder can be written");
    std::fs::create_dir_all(folder.path().join("log")).expect("the temporary folder can be written");
    let config = built(&format!("--name a --data-dir {} --initial-cluster b=http://localhost:2381", folder.path().display()));
    assert_eq!(config.name, "a");
}

#[test]
fn a_member_that_listens_everywhere_advertises_an_address_of_this_machine() {
    let mut warnings = Vec::new();
    let line = "--name a --listen-peer-urls http://0.0.0.0:7001";
    let config = config(&given(line), &mut warnings).expect("valid");
    if let Some(own) = own_address() {
        let expected = format!("http://{own}:7001");
        assert_eq!(config.initial_advertise_peer_urls[0].as_str(), expected);
        assert_eq!(config.initial_cluster[0].peer_urls[0].as_str(), expected);
        assert_eq!(warnings.len(), 1);
    }
}

#[test]
fn history_is_kept_for_hours_for_a_span_or_for_revisions() {
    let hour = Duration::from_secs(3600);
    for (line, kept) in [
        ("", None),
        ("--auto-compaction-retention=0", None),
        ("--auto-compaction-retention=2", Some(Retention::Period(2 * hour))),
        ("--auto-compaction-retention=90m", Some(Retention::Period(hour * 3 / 2))),
        ("--auto-compaction-mode=revision --auto-compaction-retention=1000", Some(Retention::Revisions(1000))),
        ("--auto-compaction-mode=revision", None),
    ] {
        assert_eq!(built(line).auto_compaction, kept, "{line}");
    }
    assert!(refused("--auto-compaction-retention=soon").contains("number of hours or a span"));
    assert!(refused("--auto-compaction-mode=revision --auto-compaction-retention=1h").contains("number of revisions"));
}

#[test]
fn there_is_no_quota_unless_one_is_given() {
    assert_eq!(built("").quota_backend_bytes, None);
    assert_eq!(built("--quota-backend-bytes=-1").quota_backend_bytes, None);
    assert_eq!(built("--quota-backend-bytes=8589934592").quota_backend_bytes, Some(8_589_934_592));
}

#[test]
fn the_newer_name_of_a_check_outranks_the_older() {
    let both = built("--experimental-corrupt-check-time=1h --corrupt-check-time=2h");
    assert_eq!(both.corrupt_check_time, Some(Duration::from_secs(7200)));
    assert_eq!(built("--experimental-corrupt-check-time=1h").corrupt_check_time, Some(Duration::from_secs(3600)));
    assert_eq!(built("").corrupt_check_time, None);
    assert!(refused("--experimental-compact-hash-check-time=0").contains("must be >0"));
}
