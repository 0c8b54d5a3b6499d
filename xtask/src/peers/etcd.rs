//! Go etcd and its client.

use super::apt::Apt;
use super::{aside, folder, into_place};
use std::path::PathBuf;

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
    fn folder(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// The path that tests use.
    fn binary(&self) -> PathBuf {
        folder(&self.folder()).join(self.name)
    }
}

pub(super) fn fetch() -> Result<(), String> {
    for suite in ["trixie", "bookworm"] {
        let mut apt = None;
        for peer in PEERS.iter().filter(|peer| peer.suite == suite) {
            if !peer.binary().is_file() {
                let apt = match &apt {
                    Some(apt) => apt,
                    None => apt.insert(Apt::open(suite)?),
                };
                println!("peers: fetching {} {} (package {} of Debian {suite})", peer.name, peer.version, peer.package);
                unpack(peer, apt)?;
            }
            println!("peers: {} {} is here: {}", peer.name, peer.version, peer.binary().display());
        }
    }
    Ok(())
}

fn unpack(peer: &Peer, apt: &Apt) -> Result<(), String> {
    let name = peer.folder();
    let aside = aside(&name)?;
    apt.unpack(peer.version, &[peer.package], &aside)?;
    if !aside.join(peer.program).is_file() {
        return Err(format!("peers: the package {} holds no {}", peer.package, peer.program));
    }
    let link = aside.join(peer.name);
    std::os::unix::fs::symlink(peer.program, &link).map_err(|error| format!("cannot link {}: {error}", link.display()))?;
    into_place(&name)
}
