//! Which members to ask.
//!
//! A running `quorate dev` leaves a note of its members in the folder for this user's running programs, so that
//! `quorate get` needs no `--endpoints` beside it.

use serde::{Deserialize, Serialize};
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where a member listens if nothing else is known.
const DEFAULT: &str = "127.0.0.1:2379";

/// Whose clients a note is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// etcd's.
    Etcd,
    /// ZooKeeper's.
    Zookeeper,
}

/// What a running `quorate dev` tells clients on the same machine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct DevState {
    /// The supervisor's process; the note is void once that is gone.
    pub(crate) pid: u32,
    /// The members' addresses for clients: URLs, or `host:port` for ZooKeeper.
    pub(crate) endpoints: Vec<String>,
}

/// The URLs to ask, in order: those given, else a running dev's, else etcd's default.
pub(super) fn choose(given: &[String]) -> Result<Vec<String>, String> {
    let given: Vec<&String> = given.iter().filter(|endpoint| !endpoint.is_empty()).collect();
    if !given.is_empty() {
        return given.into_iter().map(|endpoint| url(endpoint)).collect();
    }
    match dev_endpoints(Kind::Etcd) {
        Some(endpoints) => Ok(endpoints),
        None => Ok(vec![url(DEFAULT)?]),
    }
}

/// The members of a running dev cluster.
pub(crate) fn dev_endpoints(kind: Kind) -> Option<Vec<String>> {
    read_dev(&note_path(kind)).map(|dev| dev.endpoints)
}

/// `host:port` with or without `http://`, as etcdctl takes it.
fn url(endpoint: &str) -> Result<String, String> {
    let address = match endpoint.split_once("://") {
        None => endpoint,
        Some(("http", address)) => address,
        Some(("https", _)) => {
            return Err(format!("--endpoints {endpoint:?} asks for TLS, which is not built yet; expected http://host:port"));
        }
        Some(_) => return Err(format!("--endpoints {endpoint:?} is no address; expected host:port")),
    };
    let address = address.trim_end_matches('/');
    match address.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(format!("http://{address}")),
        _ => Err(format!("--endpoints {endpoint:?} is no address; expected host:port, such as {DEFAULT}")),
    }
}

/// Tells clients on this machine where a dev cluster's members listen.
pub(crate) fn remember_dev(kind: Kind, state: &DevState) -> io::Result<()> {
    let path = note_path(kind);
    let aside = path.with_extension(state.pid.to_string());
    fs::write(&aside, serde_json::to_vec(state)?)?;
    fs::rename(aside, path)
}

/// Takes back what this process told, unless another dev has told something else since.
pub(crate) fn forget_dev(kind: Kind) {
    forget(&note_path(kind));
}

fn forget(path: &Path) {
    if read_note(path).is_some_and(|dev| dev.pid == std::process::id()) {
        // One that stays is void anyhow once this process is gone.
        let _ = fs::remove_file(path);
    }
}

/// The note of a dev whose supervisor still runs.
fn read_dev(path: &Path) -> Option<DevState> {
    read_note(path).filter(|dev| Path::new("/proc").join(dev.pid.to_string()).exists() && !dev.endpoints.is_empty())
}

fn read_note(path: &Path) -> Option<DevState> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn note_path(kind: Kind) -> PathBuf {
    let name = match kind {
        Kind::Etcd => "quorate-dev",
        Kind::Zookeeper => "quorate-dev-zookeeper",
    };
    match env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_dir()) {
        Some(folder) => folder.join(format!("{name}.json")),
        None => env::temp_dir().join(format!("{name}-{}.json", rustix::process::getuid().as_raw())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_take_etcdctls_forms() {
        for (given, url_text) in [
            ("127.0.0.1:2379", "http://127.0.0.1:2379"),
            ("http://localhost:1/", "http://localhost:1"),
            ("[::1]:2379", "http://[::1]:2379"),
        ] {
            assert_eq!(url(given).as_deref(), Ok(url_text));
        }
        for bad in ["https://a:1", "localhost", "unix:///x", "a:b", ":2379"] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_note_counts_while_its_writer_runs() {
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let path = folder.path().join("note");
        let state = |pid| DevState { pid, endpoints: vec!["http://127.0.0.1:1".to_owned()] };
        for (pid, counts) in [(std::process::id(), true), (u32::MAX, false)] {
            fs::write(&path, serde_json::to_vec(&state(pid)).expect("it is data")).expect("the temporary folder can be written");
            assert_eq!(read_dev(&path).is_some(), counts, "{pid}");
        }
        fs::write(&path, "{").expect("the temporary folder can be written");
        assert_eq!(read_dev(&path), None);
    }

    #[test]
    fn a_dev_takes_back_its_own_note_and_no_other() {
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let path = folder.path().join("note");
        for (pid, stays) in [(std::process::id(), false), (u32::MAX, true)] {
            let state = DevState { pid, endpoints: vec!["http://127.0.0.1:1".to_owned()] };
            fs::write(&path, serde_json::to_vec(&state).expect("it is data")).expect("the temporary folder can be written");
            forget(&path);
            assert_eq!(path.exists(), stays, "{pid}");
        }
    }
}
