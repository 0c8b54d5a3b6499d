//! From what was found on the disk to a replica that goes on from there.

use super::clock::Clock;
use super::codec::EtcdCodec;
use super::config::Config;
use super::engine::{Machine, Protocol, Replica};
use super::error::StopError;
use consensus::{Configuration, EntryKind, NodeId, StateMachine};
use etcd::conf_change::ConfChange;
use etcd::url::Url;
use keyspace::{LeaseSettings, Member, MemberChange};
use replica::Options;
use std::collections::BTreeMap;
use storage::{Disk, KeyspaceStore, Recovered};

/// How many bytes of the log's beginning are read at a time.
const READ_BYTES: usize = 1 << 20;

/// Who is in the cluster, as far as the disk says.
pub(crate) struct Cluster {
    members: BTreeMap<u64, Member>,
}

impl Cluster {
    /// All members but `me`, and where they are found. A URL that is none is as good as a member that is down.
    pub(crate) fn others(&self, me: NodeId) -> impl Iterator<Item = (NodeId, Vec<Url>)> + '_ {
        self.members.values().filter(move |member| member.id != me.0).map(|member| {
            let urls = member.peer_urls.iter().filter_map(|url| Url::parse(url).ok());
            (NodeId(member.id), urls.collect())
        })
    }

    /// Where `me` is found, as the cluster knows it.
    pub(crate) fn urls_of(&self, me: NodeId) -> Vec<Url> {
        let urls = self.members.get(&me.0).map(|member| member.peer_urls.as_slice()).unwrap_or_default();
        urls.iter().filter_map(|url| Url::parse(url).ok()).collect()
    }

    fn configuration(&self) -> Configuration {
        let ids = |learners: bool| {
            self.members.values().filter(move |member| member.is_learner == learners).map(|member| NodeId(member.id)).collect()
        };
        Configuration { voters: ids(false), learners: ids(true), hierarchy: None }
    }
}

/// Who is in the cluster.
pub(crate) fn recover<D: Disk>(store: &KeyspaceStore<D>) -> Result<Cluster, StopError> {
    let mut members: BTreeMap<u64, Member> = store.machine.members().map(|member| (member.id, member.clone())).collect();
    if members.is_empty() {
        members = founders(store)?;
    }
    Ok(Cluster { members })
}

/// Before anything is applied the log is whole, and begins with an entry for each founder.
fn founders<D: Disk>(store: &KeyspaceStore<D>) -> Result<BTreeMap<u64, Member>, StopError> {
    let mut members = BTreeMap::new();
    let reader = store.log.reader();
    let mut first = store.recovered.base.index + 1;
    while first <= store.recovered.last {
        let entries = reader.read(first, store.recovered.last, READ_BYTES)?;
        if entries.is_empty() {
            break;
        }
        first += entries.len() as u64;
        for entry in entries {
            if entry.kind != EntryKind::Configuration {
                return Ok(members);
            }
            let why = |error| StopError::Log(format!("the log's entry {} cannot be understood: {error}", entry.position));
            let (_, change) = ConfChange::decode(&entry.data).map_err(why)?;
            if let Some(MemberChange::Add(member)) = change {
                members.insert(member.id, member);
            }
        }
    }
    Ok(members)
}

/// The replica that goes on from there.
pub(crate) fn replica<D: Disk>(
    config: &Config,
    log: &Recovered,
    mut machine: Machine<D>,
    cluster: &Cluster,
    codec: EtcdCodec<D>,
    seed: u64,
    clock: Clock,
) -> Replica<D> {
    let me = log.identity.member();
    let configuration = cluster.configuration();
    // etcd: one and a half election timeouts, in whole seconds.
    let lease = config.election_timeout.mul_f64(1.5).as_secs_f64().ceil();
    machine.set_min_lease_ttl(lease as i64);
    machine.set_lease_settings(LeaseSettings { extension: config.election_timeout, ..LeaseSettings::default() });
    let recovered = raft::Recovered {
        promise: log.promise,
        base: log.base,
        terms: log.terms.clone(),
        last: log.last,
        applied: machine.applied(),
        configuration: configuration.clone(),
    };
    let settings = raft::Config {
        heartbeat_interval: config.heartbeat_interval,
        election_timeout: config.election_timeout,
        pre_vote: config.pre_vote,
        early_election: config.early_election,
        ..raft::Config::new(me)
    };
    let options = Options {
        request_timeout: config.request_timeout(),
        lost_link_timeout: config.election_timeout,
        // The machine's data file is all the snapshot there is.
        snapshot_entries: u64::MAX,
        snapshot_bytes: u64::MAX,
        entries_kept: config.snapshot_catchup_entries,
        ..Options::default()
    };
    let protocol = Protocol::new(settings, recovered, seed, clock.now());
    Replica::new(me, protocol, machine, codec, configuration, options)
}
