//! The AdminServer's commands, by ZooKeeper's names and with its keys (Java: `org.apache.zookeeper.server.admin.Commands`).

use super::super::clients::{Described, Front};
use super::super::member::Mode;
use super::super::metrics::{Gauge, Sizes};
use super::super::words::{self, NOT_SERVING, VERSION, folder_bytes, folders, mode_name};
use super::json::{Fields, Json, fields};
use crate::clock::wall;
use consensus::StateMachine;
use hyper::StatusCode;
use std::fs::read_dir;
use std::time::UNIX_EPOCH;
use zookeeper::config::{Address, HostPort};

/// How it was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    Get,
    Post,
}

/// What a command gives: its fields, or why there are none.
type Given = Result<Fields, String>;

struct Command {
    /// The name under which it is listed, and others.
    names: &'static [&'static str],
    /// Whether it is answered only while clients are served.
    needs_server: bool,
    run: fn(&Front, &str) -> Given,
}

/// In the order of their names.
const COMMANDS: [Command; 26] = [
    command(&["configuration", "conf", "config"], true, configuration),
    command(&["connection_stat_reset", "crst"], true, |front, _| {
        front.reset_connections();
        Ok(Vec::new())
    }),
    command(&["connections", "cons"], true, |front, _| Ok(connections(front, false))),
    command(&["dirs"], true, dirs),
    command(&["dump"], true, dump),
    command(&["environment", "env", "envi"], false, |_, _| {
        Ok(words::environment().into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect())
    }),
    command(&["get_trace_mask", "gtmk"], false, |front, _| Ok(fields([("tracemask", front.trace_mask().into())]))),
    command(&["hash"], true, hash),
    command(&["initial_configuration", "icfg"], true, initial_configuration),
    command(&["is_read_only", "isro"], true, |front, _| Ok(fields([("read_only", front.is_read_only().into())]))),
    command(&["last_snapshot", "lsnp"], true, last_snapshot),
    command(&["leader", "lead"], true, leader),
    command(&["monitor", "mntr"], false, monitor),
    // Only servers that serve observers have any.
    command(&["observer_connection_stat_reset", "orst"], true, |_, _| Ok(Vec::new())),
    command(&["observers", "obsr"], true, observers),
    command(&["ruok"], true, |_, _| Ok(Vec::new())),
    command(&["server_stats", "srvr"], true, |front, _| Ok(server_stats(front))),
    command(&["set_trace_mask", "stmk"], false, set_trace_mask),
    command(&["stat_reset", "srst"], true, |front, _| {
        front.reset();
        Ok(Vec::new())
    }),
    command(&["stats", "stat"], true, |front, _| {
        let mut given = server_stats(front);
        given.extend(connections(front, true));
        Ok(given)
    }),
    command(&["system_properties", "sysp"], false, |_, _| Ok(Vec::new())),
    command(&["voting_view"], true, |front, _| Ok(voting_view(front))),
    command(&["watch_summary", "wchs"], true, watch_summary),
    command(&["watches", "wchc"], true, watches),
    command(&["watches_by_path", "wchp"], true, watches_by_path),
    command(&["zabstate"], false, |front, _| Ok(zab_state(front))),
];

/// Commands that hand out or replace everything. They ask who it is, and are not done here.
const GUARDED: [(&str, &str, Asked); 2] = [("snapshot", "snap", Asked::Get), ("restore", "rest", Asked::Post)];

const fn command(names: &'static [&'static str], needs_server: bool, run: fn(&Front, &str) -> Given) -> Command {
    Command { names, needs_server, run }
}

/// A page of links to all commands.
pub(super) fn links(base: &str) -> String {
    let guarded = GUARDED.iter().map(|(name, _, _)| *name);
    let mut names: Vec<&str> = COMMANDS.iter().map(|command| command.names[0]).chain(guarded).collect();
    names.sort_unstable();
    names.into_iter().map(|name| format!("<a href=\"{base}/{name}\">{name}</a>\n<br/>\n")).collect()
}

/// Runs the command `name`.
pub(super) fn run(front: &Front, asked: Asked, name: &str, query: &str, said_who: bool) -> (StatusCode, String) {
    if let Some((name, _, _)) = GUARDED.iter().find(|(long, short, how)| (name == *long || name == *short) && asked == *how) {
        let (status, why) = if said_who {
            let why = "This server does not do that over HTTP: its data folder holds its snapshots, in ZooKeeper's own format";
            (StatusCode::SERVICE_UNAVAILABLE, why)
        } else {
            (StatusCode::UNAUTHORIZED, "Auth info is missing for the command")
        };
        return (status, page(name, Err(why.to_owned())));
    }
    let found = COMMANDS.iter().find(|command| command.names.contains(&name)).filter(|_| asked == Asked::Get);
    // The status is 200 whatever the command says, as people's scripts expect.
    let text = match found {
        None => page(name, Err(format!("Unknown command: {name}"))),
        Some(command) if command.needs_server && !front.serves_clients() && !front.is_read_only() => {
            page(name, Err(NOT_SERVING.to_owned()))
        }
        Some(command) => page(command.names[0], (command.run)(front, query)),
    };
    (StatusCode::OK, text)
}

fn page(name: &str, given: Given) -> String {
    let (mut all, error) = match given {
        Ok(fields) => (fields, Json::Null),
        Err(why) => (Vec::new(), why.into()),
    };
    all.push(("command".to_owned(), name.into()));
    all.push(("error".to_owned(), error));
    let mut text = serde_json::to_string_pretty(&Json::Fields(all)).unwrap_or_default();
    text.push('\n');
    text
}

fn configuration(front: &Front, _: &str) -> Given {
    let config = front.core().config();
    let (data, log) = folders(config);
    let millis = |span: std::time::Duration| Json::from(span.as_millis() as u64);
    Ok(fields([
        ("client_port", config.client_address.map_or(-1, |address| i64::from(address.port())).into()),
        ("data_dir", data.display().to_string().into()),
        ("data_log_dir", log.display().to_string().into()),
        ("tick_time", millis(config.tick)),
        ("max_client_cnxns", u64::from(config.max_client_connections).into()),
        ("min_session_timeout", millis(config.min_session_timeout)),
        ("max_session_timeout", millis(config.max_session_timeout)),
        ("server_id", if config.is_standalone() { 0_u64 } else { config.id }.into()),
        ("client_port_listen_backlog", u64::from(config.client_backlog).into()),
    ]))
}

fn connections(front: &Front, brief: bool) -> Fields {
    let desk = front.desk();
    let connections = desk.describe().map(|connection| Json::Fields(connection_fields(&connection, brief)));
    fields([("connections", connections.collect()), ("secure_connections", Json::List(Vec::new()))])
}

fn connection_fields(connection: &Described<'_>, brief: bool) -> Fields {
    let Described { address, session, timeout, outstanding, interest, stats, .. } = connection;
    let mut all = fields([
        ("remote_socket_address", address.to_string().into()),
        ("interest_ops", u64::from(*interest).into()),
        ("outstanding_requests", (*outstanding).into()),
        ("packets_received", stats.received.into()),
        ("packets_sent", stats.sent.into()),
    ]);
    if !brief {
        all.extend(fields([
            ("session_id", (*session).into()),
            ("last_operation", stats.last_operation.into()),
            ("established", stats.established.into()),
            ("session_timeout", i64::from(*timeout).into()),
            ("last_cxid", stats.last_xid.into()),
            ("last_zxid", stats.last_zxid.into()),
            ("last_response_time", stats.last_response.into()),
            ("last_latency", stats.last_latency.into()),
            ("min_latency", stats.least_latency().into()),
            ("avg_latency", stats.mean_latency().into()),
            ("max_latency", stats.greatest_latency().into()),
        ]));
    }
    all
}

fn dirs(front: &Front, _: &str) -> Given {
    let (data, log) = folders(front.core().config());
    Ok(fields([("datadir_size", folder_bytes(&data).into()), ("logdir_size", folder_bytes(&log).into())]))
}

fn dump(front: &Front, _: &str) -> Given {
    let (tree, now) = (front.core().tree(), front.core().clock().now());
    let expiries = tree.session_expiries().into_iter().map(|(at, sessions)| {
        let millis = (wall().0 + at.since(now)).as_millis();
        (millis.to_string(), sessions.into_iter().map(Json::from).collect())
    });
    let ephemerals = tree
        .ephemerals()
        .iter()
        .map(|(session, paths)| (session.to_string(), paths.iter().map(|path| Json::from(&**path)).collect()));
    Ok(fields([
        ("expiry_time_to_session_ids", Json::Fields(expiries.collect())),
        ("session_id_to_ephemeral_paths", Json::Fields(ephemerals.collect())),
    ]))
}

fn hash(front: &Front, _: &str) -> Given {
    let tree = front.core().tree();
    let digests = tree.digest_log().map(|(position, digest)| {
        Json::Fields(fields([
            ("zxid", position.zxid().into()),
            ("digest_version", 2_i64.into()),
            ("digest", (digest as i64).into()),
        ]))
    });
    Ok(fields([("digests", digests.collect())]))
}

fn initial_configuration(front: &Front, _: &str) -> Given {
    let file = front.core().config().file.as_ref();
    let text = file.and_then(|file| std::fs::read_to_string(file).ok());
    Ok(fields([("initial_configuration", text.map_or(Json::Null, Json::from))]))
}

/// The newest snapshot, and when it was written, in seconds since 1970.
fn last_snapshot(front: &Front, _: &str) -> Given {
    let (data, _) = folders(front.core().config());
    let entries = read_dir(&data).map_err(|error| format!("{} cannot be listed: {error}", data.display()))?;
    let zxid = |name: &str| u64::from_str_radix(name.strip_prefix("snapshot.")?, 16).ok();
    let named = entries.flatten().filter_map(|entry| Some((zxid(entry.file_name().to_str()?)?, entry)));
    let newest = named.max_by_key(|(zxid, _)| *zxid);
    let written = newest.as_ref().and_then(|(_, entry)| entry.metadata().ok()?.modified().ok());
    let seconds = written.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(-1, |since| since.as_secs() as i64);
    Ok(fields([
        ("zxid", newest.map_or("ffffffffffffffff".to_owned(), |(zxid, _)| format!("{zxid:x}")).into()),
        ("timestamp", seconds.into()),
    ]))
}

fn leader(front: &Front, _: &str) -> Given {
    let core = front.core();
    let Some(leader) = core.status().leader.filter(|_| !core.config().is_standalone()) else {
        return Err("server is not initialized".to_owned());
    };
    let place = core.config().ensemble.servers.get(&leader).and_then(|server| server.addresses.first());
    Ok(fields([
        ("is_leader", (core.mode() == Mode::Leader).into()),
        ("leader_id", leader.0.into()),
        ("leader_ip", place.map_or("", |address| &address.host).into()),
    ]))
}

fn monitor(front: &Front, _: &str) -> Given {
    let mode = front.core().mode();
    let mut given = fields([("version", VERSION.into()), ("server_state", mode_name(mode).into())]);
    given.extend(words::peer_state(mode).map(|state| ("peer_state".to_owned(), state.into())));
    let value = |gauge| match gauge {
        Gauge::Whole(value) => Json::Whole(value),
        Gauge::Real(value) => Json::Real(value),
    };
    given.extend(front.seen(|seen| seen.flat()).into_iter().map(|(name, gauge)| (name, value(gauge))));
    Ok(given)
}

fn observers(front: &Front, _: &str) -> Given {
    let learners = front.core().learners().into_iter().filter(|learner| learner.observer && learner.synced);
    let observers: Vec<Json> = learners
        .map(|learner| {
            let address = learner.address.to_string();
            Json::Fields(fields([("remote_socket_address", address.into()), ("sid", learner.id.0.into())]))
        })
        .collect();
    Ok(fields([("synced_observers", observers.len().into()), ("observers", Json::List(observers))]))
}

fn server_stats(front: &Front) -> Fields {
    let (core, desk) = (front.core(), front.desk());
    let (totals, tree) = (&desk.totals, core.tree());
    let (data, log) = folders(core.config());
    let response = sizes(totals.response_bytes);
    let stats = fields([
        ("packets_sent", totals.sent.into()),
        ("packets_received", totals.received.into()),
        ("fsync_threshold_exceed_count", 0_i64.into()),
        ("client_response_stats", response.clone()),
        ("data_dir_size", folder_bytes(&data).into()),
        ("log_dir_size", folder_bytes(&log).into()),
        ("last_processed_zxid", tree.applied().zxid().into()),
        ("provider_null", false.into()),
        ("server_state", mode_name(core.mode()).into()),
        ("outstanding_requests", desk.outstanding().into()),
        ("avg_latency", Json::Real(totals.latency.mean())),
        ("max_latency", totals.latency.greatest().into()),
        ("min_latency", totals.latency.least().into()),
        ("num_alive_client_connections", desk.connections().into()),
        ("uptime", front.uptime().into()),
        ("auth_failed_count", totals.auth_failed.into()),
        ("non_mtlsremote_conn_count", 0_i64.into()),
        ("non_mtlslocal_conn_count", 0_i64.into()),
    ]);
    let mut given = fields([
        ("version", VERSION.into()),
        ("read_only", front.is_read_only().into()),
        ("server_stats", Json::Fields(stats)),
        ("client_response", response),
    ]);
    if core.mode() == Mode::Leader {
        given.push(("proposal_stats".to_owned(), sizes(words::proposal_sizes(front))));
    }
    given.push(("node_count".to_owned(), tree.node_count().into()));
    given
}

fn sizes(Sizes { last, least, greatest }: Sizes) -> Json {
    Json::Fields(fields([
        ("last_buffer_size", last.into()),
        ("min_buffer_size", least.into()),
        ("max_buffer_size", greatest.into()),
    ]))
}

fn set_trace_mask(front: &Front, query: &str) -> Given {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("traceMask="));
    let Some(value) = value else { return Err("setTraceMask requires long traceMask argument".to_owned()) };
    let mask = value.parse().map_err(|_| format!("setTraceMask requires long traceMask argument, got {value}"))?;
    front.set_trace_mask(mask);
    Ok(fields([("tracemask", mask.into())]))
}

/// Who votes, and where they are found.
fn voting_view(front: &Front) -> Fields {
    let config = front.core().config();
    let voters = config.ensemble.servers.iter().filter(|(_, server)| !server.observer);
    let view = voters.map(|(id, server)| {
        let places =
            |of: fn(&Address) -> HostPort| server.addresses.iter().map(|address| of(address).to_string().into()).collect();
        let server = fields([
            ("server_addresses", places(Address::quorum)),
            ("election_addresses", places(Address::election)),
            ("client_address", server.client.as_ref().map_or(String::new(), ToString::to_string).into()),
            ("learner_type", "participant".into()),
        ]);
        (id.0.to_string(), Json::Fields(server))
    });
    fields([("current_config", Json::Fields(view.collect()))])
}

fn watch_summary(front: &Front, _: &str) -> Given {
    let znodes::WatchSummary { watchers, paths, watches } = front.desk().watches().summary();
    Ok(fields([("num_connections", watchers.into()), ("num_paths", paths.into()), ("num_total_watches", watches.into())]))
}

fn watches(front: &Front, _: &str) -> Given {
    let desk = front.desk();
    let by_session =
        desk.watches().by_watcher().iter().map(|(&watcher, paths)| {
            (desk.session_of(watcher).to_string(), paths.iter().map(|path| Json::from(&**path)).collect())
        });
    Ok(fields([("session_id_to_watched_paths", Json::Fields(by_session.collect()))]))
}

fn watches_by_path(front: &Front, _: &str) -> Given {
    let desk = front.desk();
    let by_path = desk
        .watches()
        .by_path()
        .map(|(path, watchers)| (path.to_string(), watchers.map(|watcher| desk.session_of(watcher).into()).collect()));
    Ok(fields([("path_to_session_ids", Json::Fields(by_path.collect()))]))
}

fn zab_state(front: &Front) -> Fields {
    let core = front.core();
    let config = core.config();
    let Some(me) = config.ensemble.servers.get(&config.me()) else {
        return fields([("voting", false.into()), ("zabstate", "".into())]);
    };
    let place = |of: fn(&Address) -> HostPort| me.addresses.first().map_or(String::new(), |address| of(address).to_string());
    let applied = core.status().applied;
    let state = if core.serving() { "broadcast" } else { "election" };
    fields([
        ("myid", config.id.into()),
        ("is_leader", (core.mode() == Mode::Leader).into()),
        ("quorum_address", place(Address::quorum).into()),
        ("election_address", place(Address::election).into()),
        ("client_address", config.client_address.map_or(String::new(), |address| address.to_string()).into()),
        ("voting", (!me.observer).into()),
        ("last_zxid", format!("0x{:x}", applied.zxid()).into()),
        ("zab_epoch", applied.epoch.into()),
        ("zab_counter", applied.index.into()),
        ("zabstate", state.into()),
    ])
}
