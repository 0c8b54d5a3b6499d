//! The members that are measured: started for it, or running already.

use crate::bench::cluster::{Cluster, Program};
use crate::bench::usage::processes;
use crate::cli::etcd::{Peer, Servers as Options};

/// Members.
pub(super) struct Servers {
    /// Where clients reach them.
    pub(super) urls: Vec<String>,
    /// The processes of those that run on this machine.
    pub(super) processes: Vec<(String, u32)>,
    /// Those that were started here.
    pub(super) cluster: Option<Cluster>,
}

impl Servers {
    /// Those that the options name; else `count` are started with these flags, if the options do not say how many.
    pub(super) async fn find(options: &Options, count: u16, flags: &[&str]) -> Result<Servers, String> {
        let (urls, cluster) = if options.endpoints.is_empty() {
            let program = match options.peer {
                Peer::Quorate => Program::quorate(options.binary.as_deref()),
                Peer::Go => Program::go(options.binary.as_deref())?,
            };
            let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
            let count = options.members.unwrap_or(count);
            let cluster = Cluster::start(program, count, options.dir.as_deref(), &flags).await?;
            (cluster.urls(), Some(cluster))
        } else {
            let url = |endpoint: &String| format!("http://{}", endpoint.trim_start_matches("http://").trim_end_matches('/'));
            (options.endpoints.iter().map(url).collect(), None)
        };
        Ok(Servers { processes: processes(&urls), urls, cluster })
    }

    /// Ends those that were started here.
    pub(super) async fn end(self) {
        if let Some(cluster) = self.cluster {
            cluster.end().await;
        }
    }
}

/// Whose they are, for people and programs.
pub(super) fn whose(options: &Options) -> &'static str {
    match options.peer {
        _ if !options.endpoints.is_empty() => "unknown",
        Peer::Quorate => "quorate",
        Peer::Go => "go",
    }
}
