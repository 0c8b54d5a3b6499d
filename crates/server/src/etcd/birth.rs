//! A member's first start: founding a cluster together with the others.

use super::config::{ClusterState, Config};
use super::error::{StartError, StopError};
use super::peer::http::HttpClient;
use consensus::NodeId;
use etcd::bootstrap::{Bootstrap, bootstrap};
use etcd::json::{self, Member};
use etcd::peer::http::MEMBERS;
use etcd::url::Url;
use std::time::Duration;
use storage::{Blank, DataOptions, Disk, Identity, KeyspaceStore};
use tracing::info;

/// How long another member may take to say whether it knows this one.
const ASKING: Duration = Duration::from_secs(1);
/// How long until those that did not say are asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// Makes a member in an empty folder.
pub(crate) async fn found<D: Disk>(
    blank: Blank<D>,
    config: &Config,
    client: &HttpClient,
) -> Result<KeyspaceStore<D>, StartError> {
    if config.initial_cluster_state == ClusterState::Existing {
        return Err(StartError::Joining);
    }
    let bootstrap = bootstrap(&config.initial_cluster, &config.initial_cluster_token);
    let me = who_am_i(config, &bootstrap)?;
    refuse_if_known(config, me, client).await?;
    let identity = Identity::of(bootstrap.cluster_id, me);
    info!(%identity, members = bootstrap.entries.len(), "founding a cluster");
    let created = blank.create_keyspace(identity, bootstrap.promise, bootstrap.entries, DataOptions::default());
    Ok(created.map_err(StopError::from)?)
}

/// Which of the initial cluster this member is: the one of its name, and with the peer URLs that it advertises.
fn who_am_i(config: &Config, bootstrap: &Bootstrap) -> Result<NodeId, StartError> {
    let Some(&me) = bootstrap.ids.get(&config.name) else {
        let names: Vec<&str> = bootstrap.ids.keys().map(String::as_str).collect();
        return Err(StartError::NotInCluster(format!("it names {}, but --name is {}", names.join(", "), config.name)));
    };
    let urls = |urls: &[Url]| {
        let mut urls: Vec<&str> = urls.iter().map(Url::as_str).collect();
        urls.sort_unstable();
        urls.join(",")
    };
    let named = config.initial_cluster.iter().find(|member| member.name == config.name);
    let named = named.map(|member| urls(&member.peer_urls)).unwrap_or_default();
    let advertised = urls(&config.initial_advertise_peer_urls);
    if named != advertised {
        let name = &config.name;
        return Err(StartError::NotInCluster(format!(
            "it says {name}={named}, but --initial-advertise-peer-urls is {advertised}"
        )));
    }
    Ok(me)
}

/// A member that finds its folder empty may have lost it, and with it the memory of its votes. If another member has seen it run,
/// it must not run again under the same id (etcd: "member … has already been bootstrapped").
///
/// It asks until a quorum, itself included, has answered: with the others out of reach it might be let in by those that were, like
/// itself, never heard of. (Whoever founds a cluster needs a quorum anyway.)
async fn refuse_if_known(config: &Config, me: NodeId, client: &HttpClient) -> Result<(), StartError> {
    let mut silent: Vec<_> = config.initial_cluster.iter().filter(|member| member.name != config.name).collect();
    let enough = config.initial_cluster.len() / 2;
    let mut answered = 0;
    let mut told = None;
    loop {
        let questions: Vec<_> = silent
            .drain(..)
            .map(|member| {
                let (client, urls) = (client.clone(), member.peer_urls.clone());
                (member, tokio::spawn(async move { ask(&client, &urls, me).await }))
            })
            .collect();
        for (member, question) in questions {
            match question.await {
                Ok(Some((_, false))) => answered += 1,
                Ok(Some((peer, true))) => {
                    return Err(StartError::AlreadyBootstrapped {
                        id: me.to_string(),
                        peer: peer.to_string(),
                        folder: config.data_dir.display().to_string(),
                    });
                }
                Ok(None) | Err(_) => silent.push(member),
            }
        }
        if answered >= enough {
            return Ok(());
        }
        if told != Some(answered) {
            told = Some(answered);
            let waiting: Vec<&str> = silent.iter().map(|member| member.name.as_str()).collect();
            info!(
                waiting_for = waiting.join(", "),
                "founding a cluster takes a quorum: asking the others whether they know this member"
            );
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks one member, at whichever of its URLs answers, whether it has seen `me` run: it lists it with client URLs, which a member
/// announces once it serves. `None` if it does not say.
async fn ask(client: &HttpClient, urls: &[Url], me: NodeId) -> Option<(Url, bool)> {
    for url in urls {
        let Ok((_, body)) = client.get(url, MEMBERS, ASKING).await else { continue };
        let Ok(members) = json::from_slice::<Vec<Member>>("members", &body) else { continue };
        let known = members.iter().any(|member| member.id == me.0 && !member.client_urls.is_empty());
        return Some((url.clone(), known));
    }
    None
}
