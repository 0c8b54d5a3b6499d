//! kazoo, from the Python Package Index.

use super::{aside, folder, into_place};
use crate::shell::{exists, quietly};
use std::process::Command;

const KAZOO: &str = "kazoo==2.11.0";

/// Puts kazoo into `target/peers/kazoo`, where `PYTHONPATH` finds it.
pub(super) fn fetch() -> Result<(), String> {
    let kazoo = folder("kazoo");
    if !kazoo.join("kazoo/client.py").is_file() {
        println!("peers: fetching {KAZOO}");
        if !exists("python3") {
            return Err("peers: kazoo needs python3 (3.8 or newer), and there is none on this machine".to_owned());
        }
        let aside = aside("kazoo")?;
        quietly(
            Command::new("python3")
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"])
                .arg(&aside)
                .arg(KAZOO),
        )
        .map_err(|why| format!("peers: kazoo was not fetched; Debian's package of pip is python3-pip: {why}"))?;
        into_place("kazoo")?;
    }
    println!("peers: kazoo is here: {}", kazoo.display());
    Ok(())
}
