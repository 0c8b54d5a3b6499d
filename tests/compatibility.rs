//! COMPATIBILITY.md is kept to its word: every method is called, and the flags' table is what the binary prints.

mod support;

use etcd::pb::etcdserverpb::StatusRequest;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;
use support::{Cluster, Kind};
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

/// How long a method has to refuse.
const PATIENCE: Duration = Duration::from_secs(2);

const PAGE: &str = include_str!("../COMPATIBILITY.md");

/// The part of the page that is about etcd: ZooKeeper's comes after it, and has tests of its own.
fn etcd_part() -> &'static str {
    PAGE.split_once("\n## ZooKeeper").expect("the page has a part for each").0
}

/// The method's name and its state, as the page has them.
fn methods() -> BTreeMap<&'static str, &'static str> {
    let row = |line: &'static str| {
        let mut cells = line.strip_prefix("| `")?.split("` | ");
        let (name, state) = (cells.next()?, cells.next()?);
        (name.contains('.') && !name.starts_with(['-', '/'])).then_some((name, state))
    };
    let methods: BTreeMap<_, _> = etcd_part().lines().filter_map(row).collect();
    assert!(methods.len() > 40, "the page lists etcd's methods: {methods:?}");
    methods
}

/// The package in which etcd has this service.
fn package(service: &str) -> &'static str {
    match service {
        "Lock" => "v3lockpb",
        "Election" => "v3electionpb",
        _ => "etcdserverpb",
    }
}

/// What the member answers to an empty message: for every method of etcd's that is a message, too.
async fn call(channel: Channel, name: &str) -> Result<(), tonic::Status> {
    let (service, method) = name.split_once('.').expect("service and method");
    let path = format!("/{}.{service}/{method}", package(service)).parse().expect("a path");
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.expect("a member that listens");
    // A message without a field is one of every type; and read as one, an answer is passed over, whatever is in it.
    let codec: ProstCodec<StatusRequest, StatusRequest> = ProstCodec::default();
    let answer = client.server_streaming(Request::new(StatusRequest::default()), path, codec);
    // Some answer only when something happens: whoever has nothing to say against the request is built.
    tokio::time::timeout(PATIENCE, answer).await.map_or(Ok(()), |answer| answer.map(|_| ()))
}

#[test]
fn what_is_not_built_says_so_and_everything_else_does_not() {
    let cluster = Cluster::start(&[Kind::Quorate]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let endpoint = Channel::from_shared(cluster.members[0].client.clone()).expect("a URL");
        let channel = endpoint.connect().await.expect("a member that listens");
        for (name, state) in methods() {
            let answer = call(channel.clone(), name).await;
            let unimplemented = answer.as_ref().is_err_and(|status| status.code() == Code::Unimplemented);
            assert_eq!(unimplemented, state.starts_with("not built"), "{name} is {state:?}, and answers {answer:?}");
            if let (true, Err(status)) = (unimplemented, answer) {
                assert!(status.message().contains("COMPATIBILITY.md"), "{name}: {}", status.message());
            }
        }
    });
}

#[test]
fn the_page_has_the_table_of_flags_that_the_binary_knows() {
    let output = Command::new(env!("CARGO_BIN_EXE_quorate")).arg("flag-table").output().expect("the binary runs");
    let table = String::from_utf8(output.stdout).expect("text");
    assert!(table.contains("| `--name` |"));
    assert!(
        etcd_part().ends_with(&table),
        "COMPATIBILITY.md has other flags; `cargo run -- flag-table` prints what belongs there"
    );
}
