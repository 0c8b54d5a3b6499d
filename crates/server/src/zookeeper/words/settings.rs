//! `conf`, `dirs` and `envi`: what the server was told, and where it runs.

use super::super::clients::Front;
use super::super::config::Config;
use super::{VERSION, folder_bytes};
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// Where snapshots and logs are (Java: `FileTxnSnapLog`).
pub(crate) fn folders(config: &Config) -> (PathBuf, PathBuf) {
    let within = |folder: &Path| std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()).join("version-2");
    (within(&config.data_dir), within(&config.data_log_dir))
}

/// `dirs` (Java: `DirsCommand`).
pub(super) fn dirs(front: &Front) -> String {
    let (data, log) = folders(front.core().config());
    format!("datadir_size: {}\nlogdir_size: {}\n", folder_bytes(&data), folder_bytes(&log))
}

/// `conf` (Java: `ZooKeeperServer.dumpConf`, `QuorumZooKeeperServer.dumpConf`).
pub(super) fn conf(front: &Front) -> String {
    let config = front.core().config();
    let (data, log) = folders(config);
    let id = if config.is_standalone() { 0 } else { config.id };
    let mut text = format!(
        "clientPort={}\nsecureClientPort=-1\ndataDir={}\ndataDirSize={}\ndataLogDir={}\ndataLogSize={}\ntickTime={}\nmaxClientCnxns={}\n\
         minSessionTimeout={}\nmaxSessionTimeout={}\nclientPortListenBacklog={}\nserverId={id}\n",
        config.client_address.map_or(-1, |address| i32::from(address.port())),
        data.display(),
        folder_bytes(&data),
        log.display(),
        folder_bytes(&log),
        config.tick.as_millis(),
        config.max_client_connections,
        config.min_session_timeout.as_millis(),
        config.max_session_timeout.as_millis(),
        config.client_backlog,
    );
    if let Some(me) = config.ensemble.servers.get(&config.me()) {
        let ports = |of: fn(&zookeeper::config::Address) -> u16| {
            me.addresses.iter().map(|address| of(address).to_string()).collect::<Vec<_>>().join("|")
        };
        text += &format!(
            "initLimit={}\nsyncLimit={}\nelectionAlg=3\nelectionPort={}\nquorumPort={}\npeerType={}\nmembership: \n{}",
            config.init_limit,
            config.sync_limit,
            ports(|address| address.election_port),
            ports(|address| address.quorum_port),
            i32::from(config.is_observer()),
            config.ensemble
        );
    }
    text
}

/// `envi` (Java: `EnvCommand`).
pub(super) fn envi() -> String {
    let lines = environment().into_iter().map(|(key, value)| format!("{key}={value}\n"));
    std::iter::once("Environment:\n".to_owned()).chain(lines).collect()
}

/// Where the server runs, under Java's names; there is no Java of which to tell (Java: `Environment.list`).
pub(crate) fn environment() -> Vec<(&'static str, String)> {
    let kernel = |file: &str| read_to_string(Path::new("/proc/sys/kernel").join(file)).unwrap_or_default().trim().to_owned();
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let folder = std::env::current_dir().map(|folder| folder.display().to_string()).unwrap_or_default();
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        other => other,
    };
    let memory = |key: &str| format!("{}MB", status_kilobytes(key) / 1024);
    vec![
        ("zookeeper.version", VERSION.to_owned()),
        ("host.name", kernel("hostname")),
        ("os.name", "Linux".to_owned()),
        ("os.arch", architecture.to_owned()),
        ("os.version", kernel("osrelease")),
        ("user.name", variable("USER")),
        ("user.home", variable("HOME")),
        ("user.dir", folder),
        ("os.memory.total", memory("VmRSS:")),
        ("os.memory.max", memory("VmHWM:")),
    ]
}

/// A line of what the kernel knows of this process.
fn status_kilobytes(key: &str) -> u64 {
    let status = read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
