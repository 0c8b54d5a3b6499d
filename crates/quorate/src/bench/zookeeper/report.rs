//! What was measured, for people and for programs.

use crate::bench::measured::Measured;
use crate::cli::{ZooKeeperBench, ZooKeeperLoad};
use serde_json::{Value, json};

pub(super) fn text(measured: &Measured, options: &ZooKeeperBench) -> String {
    format!(
        "{} x {}: {} connections with {} requests under way each, {} bytes a node\n\n{}",
        measured.requests(),
        name(options.load),
        options.connections,
        options.window,
        options.value_size,
        measured.text("request", "requests")
    )
}

pub(super) fn json(measured: &Measured, options: &ZooKeeperBench) -> String {
    let mut object = measured.json();
    object.insert("load".to_owned(), name(options.load).into());
    for (what, value) in [
        ("connections", json!(options.connections)),
        ("window", json!(options.window)),
        ("value_size", json!(options.value_size)),
    ] {
        object.insert(what.to_owned(), value);
    }
    format!("{}\n", Value::Object(object))
}

/// As on the command line.
pub(super) fn name(load: ZooKeeperLoad) -> &'static str {
    match load {
        ZooKeeperLoad::Get => "get",
        ZooKeeperLoad::Set => "set",
        ZooKeeperLoad::Create => "create",
        ZooKeeperLoad::Mixed => "mixed",
    }
}
