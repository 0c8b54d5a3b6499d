//! What a running member does by itself: it announces its name and client URLs, and the leader keeps the cluster's version.

use super::config::Config;
use super::door::{Door, What};
use super::peer::Shared;
use super::peer::http::HttpClient;
use super::status::Board;
use super::view::MembershipView;
use consensus::{NodeId, Role};
use etcd::json::{self, Versions};
use etcd::url::Url;
use etcd::version::{MIN_CLUSTER, SERVER, Version};
use keyspace::{Command, Member};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tracing::{info, warn};

/// How often the leader looks at the members' versions, as in etcd.
const VERSION_INTERVAL: Duration = Duration::from_secs(4);
/// How long a member has to say its version.
const VERSION_PATIENCE: Duration = Duration::from_secs(2);
/// A refused announcement is made again after this.
const AGAIN: Duration = Duration::from_millis(100);

/// Announces this member to the cluster, however long that takes; when it returns, the cluster has a leader and this member follows
/// its log. Each start announces anew: the flags may have changed.
pub(crate) async fn publish(door: Door, me: NodeId, config: Arc<Config>) {
    let client_urls: Vec<String> = config.advertise_client_urls.iter().map(Url::to_string).collect();
    loop {
        let command = Command::MemberAttributes { id: me.0, name: config.name.clone(), client_urls: client_urls.clone() };
        match door.ask(What::Write(command)).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => warn!(%error, "could not announce this member"),
            Err(why) => warn!(?why, "could not announce this member yet"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// While this member leads: agrees with the others on the version of the cluster, which is the lowest of theirs.
pub(crate) async fn keep_cluster_version(door: Door, board: Board, shared: Arc<Shared>) {
    let mut leadership: watch::Receiver<_> = board.leadership();
    loop {
        tokio::select! {
            changed = leadership.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(VERSION_INTERVAL) => {}
        }
        if board.status().role == Role::Leader {
            agree(&door, &shared).await;
        }
    }
}

async fn agree(door: &Door, shared: &Shared) {
    let (Some(members), Some(status)) = (door.members().await, door.machine_status().await) else { return };
    let lowest = lowest(&shared.client, &members.members, shared.identity.me).await;
    let now = status.cluster_version.as_deref().and_then(Version::parse);
    let wanted = match (now, lowest) {
        // Nobody has decided yet: the lowest if all said theirs, else what every version can work in.
        (None, Some(lowest)) => lowest.cluster(),
        (None, None) => Version::parse(MIN_CLUSTER).expect("our own constant"),
        // Later only upwards, and within one major version (etcd: IsValidVersionChange).
        (Some(now), Some(lowest)) if lowest.major == now.major && lowest.minor > now.minor => lowest.cluster(),
        _ => return,
    };
    info!(version = %wanted, "setting the cluster's version");
    if let Err(why) = door.ask(What::Write(Command::ClusterVersion(wanted.to_string()))).await {
        warn!(?why, "could not set the cluster's version");
    }
}

/// The lowest version of all members; `None` if any does not say its own.
async fn lowest(client: &HttpClient, members: &[Member], me: NodeId) -> Option<Version> {
    let mut lowest = Version::parse(SERVER)?;
    for member in members.iter().filter(|member| member.id != me.0) {
        lowest = lowest.min(version_of(client, member).await?);
    }
    Some(lowest)
}

async fn version_of(client: &HttpClient, member: &Member) -> Option<Version> {
    for url in member.peer_urls.iter().filter_map(|url| Url::parse(url).ok()) {
        if let Ok((_, body)) = client.get(&url, etcd::peer::http::VERSION, VERSION_PATIENCE).await
            && let Ok(versions) = json::from_slice::<Versions>("a version", &body)
        {
            return Version::parse(&versions.server);
        }
    }
    None
}
