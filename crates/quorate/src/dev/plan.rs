//! What a dev cluster is made of, and whether it can be started here.
//!
//! ```text
//!   quorate-dev/
//!     cluster.json        how many members, and the first port: a cluster's shape cannot change under its data
//!     m1/  m2/  m3/       the members' data
//!     m1.yml …            the members' configuration; `quorate etcd --config-file` starts one by hand
//!     m1.log …            the members' logs
//! ```

use crate::cli;
use crate::member::{Contents, contents};
use crate::processes::{becomes_free, holder};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// Ports from one member's client port to the next member's.
const STRIDE: u16 = 100;

/// One member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) client_port: u16,
    pub(super) peer_port: u16,
    pub(super) data: PathBuf,
    pub(super) config: PathBuf,
    pub(super) log: PathBuf,
}

impl Planned {
    pub(super) fn client(&self) -> String {
        format!("http://127.0.0.1:{}", self.client_port)
    }

    pub(super) fn peer(&self) -> String {
        format!("http://127.0.0.1:{}", self.peer_port)
    }
}

/// A cluster's shape, kept beside its data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Shape {
    members: u16,
    base_port: u16,
}

/// The members that were asked for. A sentence says what is wrong with the request.
pub(super) fn plan(options: &cli::Dev) -> Result<Vec<Planned>, String> {
    let highest = u32::from(options.base_port) + u32::from(options.members - 1) * u32::from(STRIDE) + 1;
    if options.base_port == 0 || highest > u32::from(u16::MAX) {
        return Err(format!(
            "--base-port {} leaves no room for {} members; expected 1 to {}",
            options.base_port,
            options.members,
            u32::from(u16::MAX) - (highest - u32::from(options.base_port))
        ));
    }
    let member = |i: u16| {
        let name = format!("m{}", i + 1);
        let client_port = options.base_port + i * STRIDE;
        Planned {
            client_port,
            peer_port: client_port + 1,
            data: options.dir.join(&name),
            config: options.dir.join(format!("{name}.yml")),
            log: options.dir.join(format!("{name}.log")),
            name,
        }
    };
    Ok((0..options.members).map(member).collect())
}

/// Makes the folder ready, or says in one sentence why the cluster cannot be started on it.
pub(super) fn prepare(options: &cli::Dev, members: &[Planned]) -> Result<(), String> {
    for port in members.iter().flat_map(|member| [member.client_port, member.peer_port]) {
        if !becomes_free(port) {
            return Err(format!("port {port} is taken by {}; stop it, or choose other ports with --base-port", holder(port)));
        }
    }
    let dir = &options.dir;
    let shape = Shape { members: options.members, base_port: options.base_port };
    for data in member_folders(dir) {
        match contents(&data) {
            Contents::Nothing | Contents::Ours => {}
            Contents::Foreign(what) => return Err(refuse(&data, &what)),
            Contents::Unreadable(why) => return Err(format!("{} cannot be read: {why}", data.display())),
        }
    }
    let found = read_shape(dir)?;
    if options.fresh {
        for data in member_folders(dir) {
            fs::remove_dir_all(&data).map_err(|error| format!("--fresh cannot delete {}: {error}", data.display()))?;
        }
    } else if let Some(found) = found.filter(|found| *found != shape) {
        return Err(format!(
            "{} holds a cluster of {} with --base-port {}; start that with --members {} --base-port {}, choose another --dir, or delete it \
             with --fresh",
            dir.display(),
            found.members,
            found.base_port,
            found.members,
            found.base_port
        ));
    }
    write(&dir.join("cluster.json"), &serde_json::to_string(&shape).expect("it is data"))?;
    for member in members {
        write(&member.config, &configuration(member, members))?;
    }
    Ok(())
}

/// The shape of the cluster in `dir`, `None` if there is none yet. Whatever else is in there is refused by name.
fn read_shape(dir: &Path) -> Result<Option<Shape>, String> {
    if let Ok(text) = fs::read_to_string(dir.join("cluster.json")) {
        return serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| format!("{} is damaged ({error}); choose another --dir", dir.join("cluster.json").display()));
    }
    match contents(dir) {
        Contents::Nothing => {
            fs::create_dir_all(dir).map_err(|error| format!("cannot create {}: {error}", dir.display()))?;
            Ok(None)
        }
        Contents::Ours => Err(refuse(dir, "one member's data, not a cluster of `quorate dev`")),
        Contents::Foreign(what) => Err(refuse(dir, &what)),
        Contents::Unreadable(why) => Err(format!("{} cannot be read: {why}", dir.display())),
    }
}

fn refuse(folder: &Path, what: &str) -> String {
    format!("{} holds {what}; choose another folder with --dir", folder.display())
}

/// The members' folders that are there, also those of an earlier, larger cluster.
fn member_folders(dir: &Path) -> Vec<PathBuf> {
    let is_member = |name: &str| name.strip_prefix('m').is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()));
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.filter(|entry| is_member(&entry.file_name().to_string_lossy())).map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

/// The member's YAML file: the flags with which anybody would start it.
fn configuration(member: &Planned, members: &[Planned]) -> String {
    let cluster: Vec<String> = members.iter().map(|member| format!("{}={}", member.name, member.peer())).collect();
    let (client, peer) = (member.client(), member.peer());
    format!(
        "# Written by `quorate dev`. Starts this member by hand: quorate etcd --config-file {}\n\
         name: {}\n\
         data-dir: {:?}\n\
         listen-client-urls: {client}\n\
         advertise-client-urls: {client}\n\
         listen-peer-urls: {peer}\n\
         initial-advertise-peer-urls: {peer}\n\
         initial-cluster: {}\n\
         initial-cluster-token: quorate-dev\n\
         initial-cluster-state: new\n",
        member.config.display(),
        member.name,
        member.data.display().to_string(),
        cluster.join(",")
    )
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
