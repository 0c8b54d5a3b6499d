//! Prometheus, to which members' metrics and etcd's alert rules are shown.

use super::apt::Apt;
use super::{aside, folder, into_place};

const VERSION: &str = "2.42.0";

/// Puts Debian's Prometheus into `target/peers/prometheus-<version>`.
pub(super) fn fetch() -> Result<(), String> {
    let name = format!("prometheus-{VERSION}");
    let program = folder(&name).join("usr/bin/prometheus");
    if !program.is_file() {
        println!("peers: fetching prometheus {VERSION} (package prometheus of Debian bookworm)");
        let aside = aside(&name)?;
        Apt::open("bookworm")?.unpack(VERSION, &["prometheus"], &aside)?;
        if !aside.join("usr/bin/prometheus").is_file() {
            return Err("peers: the package prometheus holds no usr/bin/prometheus".to_owned());
        }
        into_place(&name)?;
    }
    println!("peers: prometheus {VERSION} is here: {}", program.display());
    Ok(())
}
