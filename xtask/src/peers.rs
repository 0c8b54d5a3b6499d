//! The real parts: original servers and clients that tests talk to, fetched into `target/peers`.
//!
//! They come from Debian, with Debian's own tools and checked by Debian's own signatures, from the mirror that this machine
//! already uses. Nothing is installed: packages are unpacked into
//!
//! ```text
//!   target/peers/etcd-3.5.16/etcd        target/peers/etcdctl-3.5.16/etcdctl        target/peers/etcdctl-3.4.23/etcdctl
//! ```
//!
//! with an apt state of their own, so that the system's lists stay as they are. Beside them stands a small program around Rust's
//! etcd-client crate, built here.

mod client;
mod sources;

use crate::shell::{exists, quietly, read, root};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that tests talk to.
struct Peer {
    /// What it is called in `target/peers`, without the version.
    name: &'static str,
    /// The version that tests expect to see.
    version: &'static str,
    /// The Debian release that carries that version.
    suite: &'static str,
    /// The Debian package.
    package: &'static str,
    /// Where the package keeps the program.
    program: &'static str,
}

const PEERS: [Peer; 3] = [
    Peer { name: "etcd", version: "3.5.16", suite: "trixie", package: "etcd-server", program: "usr/bin/etcd" },
    Peer { name: "etcdctl", version: "3.5.16", suite: "trixie", package: "etcd-client", program: "usr/bin/etcdctl" },
    Peer { name: "etcdctl", version: "3.4.23", suite: "bookworm", package: "etcd-client", program: "usr/bin/etcdctl" },
];

impl Peer {
    fn folder(&self) -> PathBuf {
        root().join("target/peers").join(format!("{}-{}", self.name, self.version))
    }

    /// The path that tests use.
    fn binary(&self) -> PathBuf {
        self.folder().join(self.name)
    }
}

/// Fetches what is missing. What can be fetched is, even if the rest cannot.
pub(crate) fn fetch() -> Result<(), String> {
    let originals = fetch_originals();
    client::build()?;
    originals
}

fn fetch_originals() -> Result<(), String> {
    let missing: Vec<&Peer> = PEERS.iter().filter(|peer| !peer.binary().is_file()).collect();
    for peer in PEERS.iter().filter(|peer| peer.binary().is_file()) {
        println!("peers: {} {} is here: {}", peer.name, peer.version, peer.binary().display());
    }
    if missing.is_empty() {
        return Ok(());
    }
    for program in ["apt-get", "dpkg"] {
        if !exists(program) {
            return Err(format!(
                "peers: there is no {program} on this machine, so the original servers and clients cannot be fetched from Debian"
            ));
        }
    }
    let mirror = sources::debian_mirror()?;
    for suite in ["trixie", "bookworm"] {
        let wanted: Vec<&Peer> = missing.iter().copied().filter(|peer| peer.suite == suite).collect();
        if wanted.is_empty() {
            continue;
        }
        let apt = Apt::open(suite, &mirror)?;
        for peer in wanted {
            println!("peers: fetching {} {} (package {} of Debian {suite})", peer.name, peer.version, peer.package);
            unpack(peer, &apt.download(peer)?)?;
            println!("peers: {} {} is here: {}", peer.name, peer.version, peer.binary().display());
        }
    }
    Ok(())
}

/// An apt that knows one suite only and shares no state with the system's.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn open(suite: &str, mirror: &sources::Mirror) -> Result<Apt, String> {
        let folder = root().join("target/peers/.apt").join(suite);
        for sub in ["state/lists/partial", "cache/archives/partial", "etc", "download"] {
            make_folder(&folder.join(sub))?;
        }
        let line = format!("deb [signed-by={}] {} {suite} main\n", mirror.keyring.display(), mirror.uri);
        let list = folder.join("etc/sources.list");
        fs::write(&list, line).map_err(|error| format!("cannot write {}: {error}", list.display()))?;
        let apt = Apt { folder };
        println!("peers: reading the package list of Debian {suite}");
        quietly(apt.command("apt-get").args(["-qq", "update"]))?;
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let at = |sub: &str| self.folder.join(sub).display().to_string();
        let options = [
            format!("Dir::State={}", at("state")),
            // What is installed here does not matter to a download.
            format!("Dir::State::status={}", at("state/status")),
            format!("Dir::Cache={}", at("cache")),
            format!("Dir::Etc::sourcelist={}", at("etc/sources.list")),
            "Dir::Etc::sourceparts=-".to_owned(),
            "Dir::Etc::preferences=-".to_owned(),
            format!("Dir::Etc::preferencesparts={}", at("etc")),
            // The folder need not be readable by apt's own user, which a checkout in a home folder never is.
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ];
        let _ = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("state/status"));
        let mut command = Command::new(program);
        for option in options {
            command.arg("-o").arg(option);
        }
        command
    }

    /// Downloads the package of `peer` and returns the path of the file.
    fn download(&self, peer: &Peer) -> Result<PathBuf, String> {
        let version = self.offered(peer)?;
        let folder = self.folder.join("download");
        let mut command = self.command("apt-get");
        quietly(command.args(["-qq", "download", &format!("{}={version}", peer.package)]).current_dir(&folder))?;
        let prefix = format!("{}_", peer.package);
        let entries = fs::read_dir(&folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
        entries
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)))
            .ok_or_else(|| format!("peers: apt-get left no {prefix}*.deb in {}", folder.display()))
    }

    /// The suite's full version string for the version that is wanted.
    fn offered(&self, peer: &Peer) -> Result<String, String> {
        let table = read(self.command("apt-cache").args(["madison", peer.package]))?;
        let versions: Vec<&str> = table.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim).collect();
        let exact = |offered: &&&str| {
            offered.strip_prefix(peer.version).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '+', '~']))
        };
        versions.iter().find(exact).map(|version| (*version).to_owned()).ok_or_else(|| {
            format!(
                "peers: Debian {} offers {} in version {}, but the tests know {}",
                peer.suite,
                peer.package,
                if versions.is_empty() { "none".to_owned() } else { versions.join(", ") },
                peer.version
            )
        })
    }
}

fn unpack(peer: &Peer, package: &Path) -> Result<(), String> {
    // Into a folder aside and then renamed, so that an interrupted run leaves nothing that looks whole.
    let folder = peer.folder();
    let aside = root().join("target/peers").join(format!(".{}-{}", peer.name, peer.version));
    let _ = fs::remove_dir_all(&aside);
    let _ = fs::remove_dir_all(&folder);
    make_folder(&aside)?;
    quietly(Command::new("dpkg").arg("-x").arg(package).arg(&aside))?;
    if !aside.join(peer.program).is_file() {
        return Err(format!("peers: {} holds no {}", package.display(), peer.program));
    }
    let link = aside.join(peer.name);
    std::os::unix::fs::symlink(peer.program, &link).map_err(|error| format!("cannot link {}: {error}", link.display()))?;
    fs::rename(&aside, &folder).map_err(|error| format!("cannot rename to {}: {error}", folder.display()))
}

fn make_folder(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|error| format!("cannot create {}: {error}", path.display()))
}
