//! What differs between a cluster of etcd's kind and one of ZooKeeper's.

use super::plan::{Planned, write};
use crate::cli;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs;

/// Of which kind a cluster is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Flavor {
    /// Its members are `quorate etcd`.
    #[default]
    Etcd,
    /// Its members are `quorate zookeeper`.
    Zookeeper,
}

impl Flavor {
    pub(super) fn of(options: &cli::Dev) -> Flavor {
        if options.zookeeper { Flavor::Zookeeper } else { Flavor::Etcd }
    }

    /// The original's client port.
    pub(super) fn base_port(self) -> u16 {
        match self {
            Flavor::Etcd => 2379,
            Flavor::Zookeeper => 2181,
        }
    }

    /// How far a member's other ports are above its client port. ZooKeeper: 2888, where the leader serves its learners, 3888, for
    /// elections, and 2182, for operators (Java's 8080 is often taken), if the clients' is 2181.
    pub(super) fn peer_port_offsets(self) -> &'static [u16] {
        match self {
            Flavor::Etcd => &[1],
            Flavor::Zookeeper => &[707, 1707, 1],
        }
    }

    pub(super) fn highest_offset(self) -> u16 {
        self.peer_port_offsets().iter().copied().max().unwrap_or(0)
    }

    pub(super) fn folder(self) -> &'static str {
        match self {
            Flavor::Etcd => "quorate-dev",
            Flavor::Zookeeper => "quorate-dev-zookeeper",
        }
    }

    /// Of a member's configuration file.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Flavor::Etcd => "yml",
            Flavor::Zookeeper => "cfg",
        }
    }

    /// Where a member tells how it is.
    pub(super) fn status_port_offset(self) -> u16 {
        match self {
            Flavor::Etcd => 0,
            Flavor::Zookeeper => 1,
        }
    }

    /// How clients and peers write an address.
    pub(super) fn address(self, port: u16) -> String {
        match self {
            Flavor::Etcd => format!("http://127.0.0.1:{port}"),
            Flavor::Zookeeper => format!("127.0.0.1:{port}"),
        }
    }

    /// What the protocol calls an era with one leader.
    pub(super) fn era(self) -> &'static str {
        match self {
            Flavor::Etcd => "term",
            Flavor::Zookeeper => "epoch",
        }
    }

    /// What follows the program's name to start a member.
    pub(super) fn arguments(self, member: &Planned) -> Vec<OsString> {
        let config = member.config.as_os_str().to_owned();
        match self {
            Flavor::Etcd => vec!["etcd".into(), "--config-file".into(), config],
            Flavor::Zookeeper => vec!["zookeeper".into(), config],
        }
    }

    /// What to try first: a write and a read.
    pub(super) fn examples(self) -> [&'static str; 2] {
        match self {
            Flavor::Etcd => ["put greeting hello", "get greeting"],
            Flavor::Zookeeper => ["zk create /greeting hello", "zk get /greeting"],
        }
    }

    /// Puts into a member's folder what must be there before it starts. ZooKeeper: its number.
    pub(super) fn prepare(self, member: &Planned) -> Result<(), String> {
        if self == Flavor::Zookeeper {
            fs::create_dir_all(&member.data).map_err(|error| format!("cannot create {}: {error}", member.data.display()))?;
            write(&member.data.join("myid"), &member.number.to_string())?;
        }
        Ok(())
    }

    /// A member's configuration file: what anybody would write to start it.
    pub(super) fn configuration(self, member: &Planned, members: &[Planned]) -> String {
        match self {
            Flavor::Etcd => etcd(member, members),
            Flavor::Zookeeper => zookeeper(member, members),
        }
    }
}

fn etcd(member: &Planned, members: &[Planned]) -> String {
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

fn zookeeper(member: &Planned, members: &[Planned]) -> String {
    let mut text = format!(
        "# Written by `quorate dev`. Starts this server by hand: quorate zookeeper {}\n\
         dataDir={}\n\
         clientPort={}\n\
         clientPortAddress=127.0.0.1\n\
         tickTime=2000\n\
         initLimit=10\n\
         syncLimit=5\n\
         admin.serverPort={}\n\
         4lw.commands.whitelist=*\n",
        member.config.display(),
        // java.util.Properties takes a backslash for an escape.
        member.data.display().to_string().replace('\\', "\\\\"),
        member.client_port,
        member.ports()[3]
    );
    if member.observer {
        text.push_str("peerType=observer\n");
    }
    for member in members {
        let role = if member.observer { ":observer" } else { "" };
        let ports = member.ports();
        text.push_str(&format!("server.{}=127.0.0.1:{}:{}{role}\n", member.number, ports[1], ports[2]));
    }
    text
}
