use super::*;
use crate::cli::Cli;
use clap::Parser;
use etcd::pb::etcdserverpb::ResponseHeader;

fn kv(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned().into(),
        value: value.to_owned().into(),
        create_revision: 2,
        mod_revision: 3,
        version: 2,
        ..Default::default()
    }
}

fn header() -> Option<ResponseHeader> {
    Some(ResponseHeader { cluster_id: 1, member_id: 0xab, revision: 3, raft_term: 2 })
}

fn options(line: &str) -> cli::Get {
    match Cli::parse_from(line.split_whitespace()).command {
        cli::Command::Get(options) => options,
        _ => panic!("{line} is a get"),
    }
}

#[test]
fn a_get_prints_what_etcdctl_prints() {
    let answer = RangeResponse { header: header(), kvs: vec![kv("a", "1"), kv("b", "2")], count: 2, more: false };
    for (line, text) in [
        ("quorate get a", "a\n1\nb\n2\n"),
        ("quorate get a --keys-only", "a\nb\n"),
        ("quorate get a --print-value-only", "1\n2\n"),
        ("quorate get a --count-only", "2\n"),
    ] {
        assert_eq!(range_simple(&answer, &options(line)), text, "{line}");
    }
}

#[test]
fn a_table_aligns_its_columns_and_escapes_what_is_no_text() {
    let answer = RangeResponse { header: header(), kvs: vec![kv("long/key", "1\n2")], count: 5, more: true };
    let table = "KEY       VALUE  CREATED  MODIFIED  VERSION  LEASE\nlong/key  1\\n2   2        3         2\n4 more\n";
    assert_eq!(range_table(&answer), table);
}

#[test]
fn json_is_gos_with_base64_and_without_zeros() {
    let answer = RangeResponse { header: header(), kvs: vec![kv("foo", "bar")], count: 1, more: false };
    let parsed: serde_json::Value = serde_json::from_str(&range_json(&answer)).expect("JSON");
    let expected = serde_json::json!({
        "header": {"cluster_id": 1, "member_id": 0xab, "revision": 3, "raft_term": 2},
        "kvs": [{"key": "Zm9v", "create_revision": 2, "mod_revision": 3, "version": 2, "value": "YmFy"}],
        "count": 1
    });
    assert_eq!(parsed, expected);
}

#[test]
fn a_status_says_who_leads_and_who_is_down() {
    let status = |id: u64, leader: u64| StatusResponse {
        header: Some(ResponseHeader { member_id: id, ..Default::default() }),
        leader,
        version: "3.5.16".to_owned(),
        raft_term: 2,
        raft_index: 9,
        raft_applied_index: 8,
        ..Default::default()
    };
    let statuses = [
        ("a".to_owned(), Ok(status(1, 1))),
        ("b".to_owned(), Ok(status(2, 1))),
        ("c".to_owned(), Ok(status(3, 0))),
        ("d".to_owned(), Err("gone".to_owned())),
    ];
    let table = status_table(&statuses);
    let roles: Vec<&str> = table
        .lines()
        .skip(1)
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>())
        .map(|cells| if cells.len() == 2 { cells[1] } else { cells[2] })
        .collect();
    assert_eq!(roles, ["leader", "follower", "no leader", "down"], "{table}");
    assert_eq!(status_simple(&statuses).lines().count(), 3);
}

#[test]
fn members_are_listed_as_etcdctl_lists_them() {
    let member = Member {
        id: 0xab,
        name: "m1".to_owned(),
        peer_ur_ls: vec!["http://p:1".to_owned()],
        client_ur_ls: vec!["http://c:1".to_owned()],
        is_learner: false,
    };
    let answer = MemberListResponse { header: header(), members: vec![member] };
    assert_eq!(members_simple(&answer), "ab, started, m1, http://p:1, http://c:1, false\n");
}
