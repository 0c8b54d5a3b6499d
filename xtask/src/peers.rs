//! The real parts: original servers and clients that tests talk to, fetched into `target/peers`.
//!
//! Servers come from Debian, with Debian's own tools and checked by Debian's own signatures, from the mirror that this machine
//! already uses. Nothing is installed: packages are unpacked into
//!
//! ```text
//!   target/peers/etcd-3.5.16/etcd        target/peers/etcdctl-3.5.16/etcdctl        target/peers/etcdctl-3.4.23/etcdctl
//!   target/peers/zookeeper-3.9.3/        target/peers/zookeeper-3.8.0/              target/peers/curator-5.7.1/
//!   target/peers/java/                   target/peers/kazoo/                   target/peers/python-etcd3/
//!   target/peers/python-aetcd/           target/peers/node-etcd3/                 target/peers/prometheus-2.42.0/
//! ```
//!
//! with an apt state of their own, so that the system's lists stay as they are. Folders of Java programs hold a file `classpath`:
//! a jar a line, relative to the folder. Beside them stand small programs around clients that are libraries, built here: Rust's
//! etcd-client and zookeeper-client, and Curator.

mod apt;
mod client;
mod etcd;
mod java;
mod node;
mod prometheus;
mod python;
mod sources;
mod zookeeper;

use crate::shell::root;
use std::fs;
use std::path::{Path, PathBuf};

/// A piece of what tests need, and who brings it.
type Fetcher = fn() -> Result<(), String>;

/// Fetches what is missing. What can be fetched is, even if the rest cannot.
pub(crate) fn fetch() -> Result<(), String> {
    let all: [Fetcher; 8] =
        [etcd::fetch, prometheus::fetch, zookeeper::fetch, java::fetch, java::build, python::fetch, node::fetch, client::build];
    let failed: Vec<String> = all.iter().filter_map(|fetcher| fetcher().err()).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

/// Where tests look.
fn folder(name: &str) -> PathBuf {
    root().join("target/peers").join(name)
}

/// An empty folder beside `name`: what is made in it takes its place at once, so that an interrupted run leaves nothing that
/// looks whole.
fn aside(name: &str) -> Result<PathBuf, String> {
    let aside = folder(&format!(".{name}"));
    let _ = fs::remove_dir_all(&aside);
    make_folder(&aside)?;
    Ok(aside)
}

/// The end of what `aside` began.
fn into_place(name: &str) -> Result<(), String> {
    let whole = folder(name);
    let _ = fs::remove_dir_all(&whole);
    fs::rename(folder(&format!(".{name}")), &whole).map_err(|error| format!("cannot rename to {}: {error}", whole.display()))
}

fn make_folder(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|error| format!("cannot create {}: {error}", path.display()))
}
