//! From what was given to what the server is told, by the rules that etcd checks before it starts.

use super::fault::ConfigFault;
use super::flags::{self, Kind};
use super::folder::{Contents, contents};
use super::given::Given;
use super::value::Value;
use etcd::bootstrap::{ClusterError, MemberSpec, parse_initial_cluster};
use etcd::url::{Address, Url};
use server::etcd::{ClusterState, Config, Retention};
use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

/// The longest election timeout, in milliseconds.
const ELECTION_MS_MAX: u64 = 50_000;
/// How often idle watches are told the revision, if nothing is said about it, and at most (etcd's v3rpc/watch.go).
const WATCH_PROGRESS: Duration = Duration::from_secs(10 * 60);
const WATCH_PROGRESS_MIN: Duration = Duration::from_millis(100);

/// The server's configuration, or the first rule that is broken. What the operator should know besides is added to `warnings`.
pub(crate) fn config(given: &Given, warnings: &mut Vec<String>) -> Result<Config, ConfigFault> {
    check_listeners(given)?;
    check_advertised(given)?;
    check_timing(given)?;
    if given.is_given("listen-client-urls") && !given.is_given("advertise-client-urls") && !given.is_given_by_file() {
        return rule("--advertise-client-urls is required when --listen-client-urls is set explicitly");
    }
    if given.words("log-outputs").len() > 1 && given.words("log-outputs").iter().any(|output| output == "default") {
        return rule(
            "multi logoutput for \"default\" is not supported yet: give \"stderr\" instead of \"default\" in --log-outputs",
        );
    }

    let name = given.text("name").to_owned();
    if name == "default" {
        warnings.push("this member is called \"default\", like any other without --name; give each its own".to_owned());
    }
    let advertise_peer = advertised(given, "initial-advertise-peer-urls", "listen-peer-urls", warnings);
    let advertise_client = advertised(given, "advertise-client-urls", "listen-client-urls", warnings);
    let data_dir = match given.text("data-dir") {
        "" => PathBuf::from(format!("{name}.etcd")),
        folder => PathBuf::from(folder),
    };
    let initial_cluster = initial_cluster(given, &name, &advertise_peer)?;
    if contents(&data_dir) == Contents::Nothing {
        check_founders(&name, &advertise_peer, &initial_cluster)?;
    }
    let catchup = ["snapshot-catchup-entries", "experimental-snapshot-catchup-entries"];
    let catchup = catchup.into_iter().find(|name| given.is_given(name)).unwrap_or(catchup[0]);
    let newer =
        |name: &'static str, older: &'static str| if given.is_given(older) && !given.is_given(name) { older } else { name };
    let corrupt_check = given.span(newer("corrupt-check-time", "experimental-corrupt-check-time"));
    let compact_check = newer("compact-hash-check-time", "experimental-compact-hash-check-time");
    if given.span(compact_check).is_zero() {
        return rule(format!("--{compact_check} must be >0 (set to 0s)"));
    }
    let watch_progress = match given.span(newer("watch-progress-notify-interval", "experimental-watch-progress-notify-interval"))
    {
        Duration::ZERO => WATCH_PROGRESS,
        interval => interval.max(WATCH_PROGRESS_MIN),
    };
    let clamp = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Ok(Config {
        listen_peer_urls: given.urls("listen-peer-urls"),
        listen_client_urls: given.urls("listen-client-urls"),
        listen_client_http_urls: given.urls("listen-client-http-urls"),
        listen_metrics_urls: given.urls("listen-metrics-urls"),
        initial_advertise_peer_urls: advertise_peer,
        advertise_client_urls: advertise_client,
        initial_cluster,
        initial_cluster_token: given.text("initial-cluster-token").to_owned(),
        initial_cluster_state: match given.text("initial-cluster-state") {
            "existing" => ClusterState::Existing,
            _ => ClusterState::New,
        },
        heartbeat_interval: Duration::from_millis(given.number("heartbeat-interval")),
        election_timeout: Duration::from_millis(given.number("election-timeout")),
        pre_vote: given.bool("pre-vote"),
        snapshot_count: given.number("snapshot-count"),
        snapshot_catchup_entries: given.number(catchup),
        max_request_bytes: clamp(given.number("max-request-bytes")),
        max_txn_ops: clamp(given.number("max-txn-ops")),
        max_concurrent_streams: u32::try_from(given.number("max-concurrent-streams")).unwrap_or(u32::MAX),
        grpc_keepalive_interval: given.span("grpc-keepalive-interval"),
        grpc_keepalive_timeout: given.span("grpc-keepalive-timeout"),
        quota_backend_bytes: u64::try_from(given.signed("quota-backend-bytes")).ok().filter(|&bytes| bytes > 0),
        auto_compaction: retention(given)?,
        initial_corrupt_check: given.bool("experimental-initial-corrupt-check"),
        corrupt_check_time: Some(corrupt_check).filter(|time| !time.is_zero()),
        compact_hash_check_time: given.span(compact_check),
        extensive_metrics: given.text("metrics") == "extensive",
        watch_progress_notify_interval: watch_progress,
        ..Config::new(&name, data_dir)
    })
}

/// How much history is kept: a bare number is of hours or of revisions, as the mode says; none of it means that all is.
fn retention(given: &Given) -> Result<Option<Retention>, ConfigFault> {
    let text = given.text("auto-compaction-retention");
    let revisions = given.text("auto-compaction-mode") == "revision";
    let retention = match (text.parse::<u64>(), Value::parse(Kind::Span, text)) {
        (Ok(number), _) if revisions => Retention::Revisions(number),
        (Ok(hours), _) => Retention::Period(Duration::from_secs(hours.saturating_mul(3600))),
        (_, _) if text.is_empty() => return Ok(None),
        (_, Ok(Value::Span(nanoseconds))) if !revisions => {
            Retention::Period(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)))
        }
        _ if revisions => return rule(format!("--auto-compaction-retention={text} must be a number of revisions, such as 1000")),
        _ => {
            return rule(format!(
                "--auto-compaction-retention={text} must be a number of hours or a span of time, such as 1 or 30m"
            ));
        }
    };
    let nothing = matches!(retention, Retention::Revisions(0) | Retention::Period(Duration::ZERO));
    Ok(Some(retention).filter(|_| !nothing))
}

/// Listeners bind addresses, not names.
fn check_listeners(given: &Given) -> Result<(), ConfigFault> {
    for flag in ["listen-peer-urls", "listen-client-urls", "listen-client-http-urls", "listen-metrics-urls"] {
        let urls = given.urls(flag);
        for url in &urls {
            check_scheme(flag, url)?;
            let (host, _) = host_port(url);
            if host != "localhost" && !host.is_empty() && host.parse::<IpAddr>().is_err() {
                return rule(format!(
                    "expected IP in URL for binding ({url}): --{flag} takes http://IP:port or http://localhost:port"
                ));
            }
        }
        if urls.is_empty() && matches!(flag, "listen-peer-urls" | "listen-client-urls") {
            return rule(format!("--{flag} must name at least one URL, such as {}", flags::find(flag).map_or("", |f| f.default)));
        }
    }
    Ok(())
}

/// Addresses that others are told need a host.
fn check_advertised(given: &Given) -> Result<(), ConfigFault> {
    for flag in ["initial-advertise-peer-urls", "advertise-client-urls"] {
        let urls = given.urls(flag);
        for url in &urls {
            check_scheme(flag, url)?;
            if host_port(url).0.is_empty() {
                return rule(format!("--{flag} \"{url}\" must be \"host:port\" (unexpected empty host ({url}))"));
            }
        }
        if urls.is_empty() {
            return rule(format!("--{flag} must name at least one URL, such as {}", flags::find(flag).map_or("", |f| f.default)));
        }
    }
    Ok(())
}

fn check_scheme(flag: &str, url: &Url) -> Result<(), ConfigFault> {
    match url.address() {
        Address::Unix(_) => {
            rule(format!("--{flag} \"{url}\" is a socket's path, which is not built yet; expected http://host:port"))
        }
        Address::Tcp { .. } if url.is_secure() => {
            rule(format!("--{flag} \"{url}\" asks for TLS, which is not built yet; expected http://host:port"))
        }
        Address::Tcp { .. } => Ok(()),
    }
}

/// Of a URL that [`check_scheme`] let pass.
fn host_port(url: &Url) -> (&str, u16) {
    match url.address() {
        Address::Tcp { host, port } => (host, *port),
        Address::Unix(_) => ("", 0),
    }
}

fn check_timing(given: &Given) -> Result<(), ConfigFault> {
    let (heartbeat, election) = (given.number("heartbeat-interval"), given.number("election-timeout"));
    if heartbeat == 0 {
        return rule("--heartbeat-interval must be >0 (set to 0ms)");
    }
    if election == 0 {
        return rule("--election-timeout must be >0 (set to 0ms)");
    }
    if 5 * heartbeat > election {
        return rule(format!(
            "--election-timeout[{election}ms] should be at least as 5 times as --heartbeat-interval[{heartbeat}ms]"
        ));
    }
    if election > ELECTION_MS_MAX {
        return rule(format!("--election-timeout[{election}ms] is too long, and should be set less than {ELECTION_MS_MAX}ms"));
    }
    Ok(())
}

/// The URLs that others are told. A member that listens on every address and was told nothing else names this machine's own.
fn advertised(given: &Given, flag: &'static str, listen: &str, warnings: &mut Vec<String>) -> Vec<Url> {
    let urls = given.urls(flag);
    let by_default = Value::Urls(urls.clone()) == flags::find(flag).expect("a flag of the table").default_value();
    let listens = given.urls(listen);
    let Some(listen) = listens.first().filter(|url| by_default && host_port(url).0 == "0.0.0.0") else { return urls };
    let Some(own) = own_address().and_then(|ip| Url::parse(&format!("http://{ip}:{}", host_port(listen).1)).ok()) else {
        return urls;
    };
    warnings.push(format!("--{flag} was not given; other machines are told {own}"));
    vec![own]
}

/// The address from which this machine would speak to others. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?; // an address for documentation (RFC 5737); UDP's connect only asks the routing table
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
}

/// `name=url,name=url,…`; a name may come several times.
fn initial_cluster(given: &Given, name: &str, advertised: &[Url]) -> Result<Vec<MemberSpec>, ConfigFault> {
    if !given.is_given("initial-cluster") && name != "default" {
        return Ok(vec![MemberSpec { name: name.to_owned(), peer_urls: advertised.to_vec() }]);
    }
    let cluster = match parse_initial_cluster(given.text("initial-cluster")) {
        // A member that has data need not name anybody.
        Err(ClusterError::Empty) => Vec::new(),
        parsed => parsed.map_err(|error| ConfigFault::Rule(format!("--initial-cluster: {error}")))?,
    };
    cluster.iter().flat_map(|member| &member.peer_urls).try_for_each(|url| check_scheme("initial-cluster", url))?;
    Ok(cluster)
}

/// What a member that founds or joins a cluster must agree on with the others. One that has data has long agreed.
fn check_founders(name: &str, advertised: &[Url], cluster: &[MemberSpec]) -> Result<(), ConfigFault> {
    if cluster.is_empty() {
        return rule("initial cluster unset and no discovery URL found: give --initial-cluster name=http://host:port,…");
    }
    let Some(MemberSpec { peer_urls: own, .. }) = cluster.iter().find(|member| member.name == name) else {
        let names = cluster.iter().map(|member| format!("{:?}", member.name)).collect::<Vec<_>>().join(", ");
        return rule(format!(
            "couldn't find local name {name:?} in the initial cluster configuration, which has {names}: --name and --initial-cluster must agree"
        ));
    };
    if own != advertised {
        let show = |urls: &[Url]| urls.iter().map(Url::as_str).collect::<Vec<_>>().join(",");
        return rule(format!(
            "--initial-cluster has {name}={} but --initial-advertise-peer-urls has {}; they must be the same",
            show(own),
            show(advertised)
        ));
    }
    Ok(())
}

fn rule<T>(sentence: impl Into<String>) -> Result<T, ConfigFault> {
    Err(ConfigFault::Rule(sentence.into()))
}

#[cfg(test)]
mod tests;
