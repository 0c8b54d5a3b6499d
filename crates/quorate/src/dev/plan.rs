//! What a dev cluster is made of, and whether it can be started here.
//!
//! ```text
//!   quorate-dev/
//!     cluster.json        how many members, and the first port: a cluster's shape cannot change under its data
//!     m1/  m2/  m3/       the members' data
//!     m1.yml …            the members' configuration; `quorate etcd --config-file` starts one by hand
//!     m1.log …            the members' logs
//! ```

use super::flavor::Flavor;
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
    pub(super) flavor: Flavor,
    pub(super) name: String,
    /// From 1.
    pub(super) number: u16,
    /// It receives everything and is never counted.
    pub(super) observer: bool,
    pub(super) client_port: u16,
    pub(super) data: PathBuf,
    pub(super) config: PathBuf,
    pub(super) log: PathBuf,
}

impl Planned {
    /// Where clients reach it, in the form that they want.
    pub(super) fn client(&self) -> String {
        self.flavor.address(self.client_port)
    }

    /// Where other members reach it.
    pub(super) fn peer(&self) -> String {
        self.flavor.address(self.ports()[1])
    }

    /// Where it says how it is.
    pub(super) fn status(&self) -> String {
        format!("http://127.0.0.1:{}", self.client_port + self.flavor.status_port_offset())
    }

    /// All ports that it listens on, the clients' first, then the peers'.
    pub(super) fn ports(&self) -> Vec<u16> {
        self.flavor.peer_port_offsets().iter().fold(vec![self.client_port], |mut ports, offset| {
            ports.push(self.client_port + offset);
            ports
        })
    }
}

/// A cluster's shape, kept beside its data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Shape {
    #[serde(default)]
    flavor: Flavor,
    members: u16,
    #[serde(default)]
    observers: u16,
    base_port: u16,
}

impl Shape {
    fn of(options: &cli::Dev) -> Shape {
        let flavor = Flavor::of(options);
        let base_port = options.base_port.unwrap_or(flavor.base_port());
        Shape { flavor, members: options.members, observers: options.observers, base_port }
    }

    /// The options that ask for it.
    fn options(self) -> String {
        let observers = if self.observers > 0 { format!(" --observers {}", self.observers) } else { String::new() };
        let flavor = if self.flavor == Flavor::Zookeeper { "--zookeeper " } else { "" };
        format!("{flavor}--members {}{observers} --base-port {}", self.members, self.base_port)
    }
}

/// Where the cluster keeps its data.
pub(super) fn folder(options: &cli::Dev) -> PathBuf {
    options.dir.clone().unwrap_or_else(|| PathBuf::from(Flavor::of(options).folder()))
}

/// The members that were asked for. A sentence says what is wrong with the request.
pub(super) fn plan(options: &cli::Dev) -> Result<Vec<Planned>, String> {
    let Shape { flavor, members, observers, base_port } = Shape::of(options);
    let span = u32::from(members + observers - 1) * u32::from(STRIDE) + u32::from(flavor.highest_offset());
    if base_port == 0 || u32::from(base_port) + span > u32::from(u16::MAX) {
        return Err(format!(
            "--base-port {base_port} leaves no room for {} members; expected 1 to {}",
            members + observers,
            u32::from(u16::MAX) - span
        ));
    }
    let dir = folder(options);
    let member = |i: u16| {
        let name = format!("m{}", i + 1);
        Planned {
            flavor,
            number: i + 1,
            observer: i >= members,
            client_port: base_port + i * STRIDE,
            data: dir.join(&name),
            config: dir.join(format!("{name}.{}", flavor.extension())),
            log: dir.join(format!("{name}.log")),
            name,
        }
    };
    Ok((0..members + observers).map(member).collect())
}

/// Makes the folder ready, or says in one sentence why the cluster cannot be started on it.
pub(super) fn prepare(options: &cli::Dev, members: &[Planned]) -> Result<(), String> {
    for port in members.iter().flat_map(Planned::ports) {
        if !becomes_free(port) {
            return Err(format!("port {port} is taken by {}; stop it, or choose other ports with --base-port", holder(port)));
        }
    }
    let dir = &folder(options);
    let shape = Shape::of(options);
    for data in member_folders(dir) {
        match contents(&data) {
            Contents::Nothing | Contents::Ours => {}
            // Quorate keeps ZooKeeper's own files: whoever wrote them, they are fine for such a cluster.
            Contents::Foreign(_) if shape.flavor == Flavor::Zookeeper && data.join("version-2").is_dir() => {}
            Contents::Foreign(_) if read_shape(dir)?.is_some_and(|found| found.flavor != shape.flavor) => {}
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
            "{} holds a cluster of {} with --base-port {}; start that with {}, choose another --dir, or delete it with --fresh",
            dir.display(),
            found.members + found.observers,
            found.base_port,
            found.options()
        ));
    }
    write(&dir.join("cluster.json"), &serde_json::to_string(&shape).expect("it is data"))?;
    for member in members {
        shape.flavor.prepare(member)?;
        write(&member.config, &shape.flavor.configuration(member, members))?;
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

pub(super) fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
