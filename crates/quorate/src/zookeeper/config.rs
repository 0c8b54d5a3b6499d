//! From keys to a server's settings, with Java's rules of what goes together.

use super::fault::Fault;
use super::given::Given;
use super::{folder, members};
use consensus::NodeId;
use server::zookeeper::Config;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;
use zookeeper::config::{Ensemble, HostPort};
use zookeeper::words::Word;

const DEFAULT_METRICS: &str = "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider";
const NO_METRICS: &str = "org.apache.zookeeper.metrics.impl.NullMetricsProvider";
const PROMETHEUS: &str = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider";

/// The settings that `given` amounts to.
pub(super) fn config(given: &Given, warnings: &mut Vec<String>) -> Result<Config, Fault> {
    if !given.is_given("dataDir") {
        return Err(Fault::Rule("dataDir is not set, and should name the folder of the server's data".to_owned()));
    }
    let mut config = Config::new(given.text("dataDir"));
    if given.is_given("dataLogDir") {
        config.data_log_dir = PathBuf::from(given.text("dataLogDir"));
    }
    let ensemble = members::ensemble(given, warnings)?;
    let distributed = members::is_distributed(given, &ensemble);
    let id = folder::id(&config.data_dir)?;
    if distributed {
        config.id = member_id(given, id, &ensemble, &config)?;
    }
    config.client_address = client_address(given, id, &ensemble)?;
    if config.client_address.is_none() {
        warnings.push("clientPort is not set: this server has no clients of its own".to_owned());
    }
    if distributed {
        warn_of_role(given, config.id, &ensemble, warnings);
        config.ensemble = ensemble;
    }
    folder::check(&config.data_dir, &config.data_log_dir, given.is("datadir.autocreate"))?;
    times_and_limits(given, &mut config)?;
    files(given, &mut config, warnings);
    operators(given, &mut config, warnings)?;
    config.file = given.file().map(PathBuf::from);
    config.quorum_listen_on_all_ips = given.is("quorumListenOnAllIPs");
    config.leader_serves = given.says_yes("leaderServes");
    config.read_only_mode = given.is("readonlymode.enabled");
    config.enforce_quota = given.is("enforceQuota");
    config.extended_types = given.is("extendedTypesEnabled");
    config.skip_acl = given.says_yes("skipACL");
    config.super_digest = Some(given.text("DigestAuthenticationProvider.superDigest").to_owned()).filter(|text| !text.is_empty());
    Ok(config)
}

/// Who this server is among the others.
fn member_id(given: &Given, id: Option<u64>, ensemble: &Ensemble, config: &Config) -> Result<u64, Fault> {
    let names: Vec<String> = ensemble.servers.keys().map(|id| id.0.to_string()).collect();
    let names = names.join(", ");
    let place = config.data_dir.join("myid");
    let Some(id) = id else {
        let sentence = format!("the file {} is missing: it should hold which of the servers {names} this is", place.display());
        return Err(Fault::Rule(sentence));
    };
    if !ensemble.servers.contains_key(&NodeId(id)) {
        return Err(Fault::Rule(format!(
            "{} says {id}, and should say one of {names}: there is no server.{id}",
            place.display()
        )));
    }
    for limit in ["initLimit", "syncLimit"] {
        if !given.is_given(limit) {
            return Err(Fault::Rule(format!("{limit} is not set, and should be so many ticks; 10 and 5 are common")));
        }
    }
    // The id's place in a session's id is one byte, of which 255 is another mark (Java: EphemeralType.validateServerId).
    if given.is("extendedTypesEnabled") && id > 254 {
        return Err(
            given.wrong("extendedTypesEnabled", &format!("allows ids of servers up to 254, and {} says {id}", place.display()))
        );
    }
    Ok(id)
}

/// What `peerType` says counts for nothing against the list of servers, as in Java.
fn warn_of_role(given: &Given, id: u64, ensemble: &Ensemble, warnings: &mut Vec<String>) {
    let observer = ensemble.servers.get(&NodeId(id)).is_some_and(|server| server.observer);
    let said = given.text("peerType");
    if said.eq_ignore_ascii_case("observer") != observer {
        let role = if observer { "an observer" } else { "a participant" };
        warnings.push(format!("peerType={said}, and server.{id} says that this server is {role}, which counts"));
    }
}

/// Where clients are served: `clientPort` and `clientPortAddress`, or what the server's own line says behind `;`.
fn client_address(given: &Given, id: Option<u64>, ensemble: &Ensemble) -> Result<Option<SocketAddr>, Fault> {
    let own = id.and_then(|id| ensemble.servers.get(&NodeId(id))).and_then(|server| server.client.as_ref());
    if !given.is_given("clientPort") {
        if given.is_given("clientPortAddress") {
            return Err(given.wrong("clientPortAddress", "should come with clientPort, which is not set"));
        }
        return own.map(|own| resolve(own, given, "server.N")).transpose();
    }
    let port = given.number("clientPort") as u16;
    let host = match given.text("clientPortAddress") {
        "" => "0.0.0.0",
        host => host.trim_start_matches('[').trim_end_matches(']'),
    };
    let given_address = resolve(&HostPort { host: host.to_owned(), port }, given, "clientPortAddress")?;
    let Some(own) = own else { return Ok(Some(given_address)) };
    let own = resolve(own, given, "server.N")?;
    let agree = if given_address.ip().is_unspecified() { own.port() == port } else { own == given_address };
    if agree {
        Ok(Some(own))
    } else {
        let right = format!("should be {own}, as this server's own line server.N says, or not be set");
        Err(given.wrong("clientPort", &right))
    }
}

fn resolve(place: &HostPort, given: &Given, key: &'static str) -> Result<SocketAddr, Fault> {
    if place.is_wildcard() {
        return Ok(everywhere(place.port));
    }
    let found = (place.host.as_str(), place.port).to_socket_addrs().map(|mut addresses| addresses.next());
    match found {
        Ok(Some(address)) => Ok(address),
        Ok(None) | Err(_) if given.is_given(key) => Err(given.wrong(key, "should be a name or an address of this machine")),
        Ok(None) | Err(_) => Err(Fault::Rule(format!("{key}: {place} should be a name or an address of this machine"))),
    }
}

/// Every address of this machine, of both kinds where it has both: Java listens so for 0.0.0.0, too.
fn everywhere(port: u16) -> SocketAddr {
    let both = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
    if both { (Ipv6Addr::UNSPECIFIED, port).into() } else { ([0, 0, 0, 0], port).into() }
}

fn times_and_limits(given: &Given, config: &mut Config) -> Result<(), Fault> {
    let millis = |name| given.size(name).map(Duration::from_millis);
    let count = |name| u32::try_from(given.number(name)).unwrap_or(0);
    config.tick = millis("tickTime").expect("at least 1");
    if given.is_given("initLimit") {
        config.init_limit = count("initLimit");
    }
    if given.is_given("syncLimit") {
        config.sync_limit = count("syncLimit");
    }
    config.min_session_timeout = millis("minSessionTimeout").unwrap_or(2 * config.tick);
    config.max_session_timeout = millis("maxSessionTimeout").unwrap_or(20 * config.tick);
    if config.min_session_timeout > config.max_session_timeout {
        let (min, max) = (config.min_session_timeout.as_millis(), config.max_session_timeout.as_millis());
        let name = if given.is_given("minSessionTimeout") { "minSessionTimeout" } else { "maxSessionTimeout" };
        return Err(
            given.wrong(name, &format!("makes sessions last from {min} to {max} ms, and the former should be the smaller"))
        );
    }
    if let Some(backlog) = given.size("clientPortListenBacklog").filter(|&backlog| backlog > 0) {
        config.client_backlog = backlog as u32;
    }
    config.max_client_connections = count("maxClientCnxns");
    config.max_connections = count("maxCnxns");
    config.outstanding_max = given.number("globalOutstandingLimit") as usize;
    config.jute_max = given.number("jute.maxbuffer") as usize;
    config.container_check_interval = millis("znode.container.checkIntervalMs").expect("at least 1");
    config.containers_per_minute = count("znode.container.maxPerMinute");
    config.container_never_used = millis("znode.container.maxNeverUsedIntervalMs").unwrap_or_default();
    config.election_connect_timeout = millis("cnxTimeout").expect("at least 1");
    config.notification_interval_min = millis("fastleader.minNotificationInterval").expect("at least 1");
    config.notification_interval_max = millis("fastleader.maxNotificationInterval").expect("at least 1");
    Ok(())
}

fn files(given: &Given, config: &mut Config, warnings: &mut Vec<String>) {
    config.digest = given.is("digest.enabled");
    config.autocreate = given.is("db.autocreate");
    config.trust_empty_snapshot = given.is("snapshot.trust.empty");
    config.snap_count = given.size("snapCount").unwrap_or(0);
    if config.snap_count < 2 {
        warnings.push(format!("snapCount={} is taken for 2, the smallest that there is", given.text("snapCount")));
        config.snap_count = 2;
    }
    // In units of 1024 bytes; 0 and less: no limit.
    let kilobytes = |name| given.size(name).map(|size: u64| size.saturating_mul(1024));
    config.snap_bytes = kilobytes("snapSizeLimitInKb").filter(|&bytes| bytes > 0).unwrap_or(u64::MAX);
    config.prealloc_bytes = kilobytes("preAllocSize").unwrap_or(0);
    let kept = given.number("autopurge.snapRetainCount");
    config.snapshots_kept = usize::try_from(kept.max(3)).unwrap_or(3);
    if kept < 3 {
        warnings.push(format!("autopurge.snapRetainCount={kept} is taken for 3, the smallest that there is"));
    }
    let hours = given.size("autopurge.purgeInterval").filter(|&hours| hours > 0);
    config.purge_interval = hours.map(|hours| Duration::from_secs(3600 * hours));
}

fn operators(given: &Given, config: &mut Config, warnings: &mut Vec<String>) -> Result<(), Fault> {
    config.words = given.text("4lw.commands.whitelist").split(',').map(|word| word.trim().to_owned()).collect();
    config.words.retain(|word| !word.is_empty());
    for word in config.words.iter().filter(|word| *word != "*" && Word::from_name(word).is_none()) {
        warnings.push(format!("4lw.commands.whitelist names {word}, and there is no such word"));
    }
    config.admin_path = given.text("admin.commandURL").to_owned();
    if given.is("admin.enableServer") {
        // Java's default is every address of the machine. Nobody is asked who he is there, so ours is this machine alone.
        let host = if given.is_given("admin.serverAddress") { given.text("admin.serverAddress") } else { "127.0.0.1" };
        let place = HostPort { host: host.to_owned(), port: given.number("admin.serverPort") as u16 };
        config.admin_address = Some(resolve(&place, given, "admin.serverAddress")?);
    }
    match given.text("metricsProvider.className") {
        PROMETHEUS => {
            let host = given.text("metricsProvider.httpHost").to_owned();
            let place = HostPort { host, port: given.number("metricsProvider.httpPort") as u16 };
            config.metrics_address = Some(resolve(&place, given, "metricsProvider.httpHost")?);
        }
        DEFAULT_METRICS | NO_METRICS => {}
        other => warnings.push(format!("metricsProvider.className={other} is not known here; {PROMETHEUS} is")),
    }
    Ok(())
}
