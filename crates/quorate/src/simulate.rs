//! `quorate sim`: simulated clusters by seed.

use crate::cli;
use sim::{Protocol, SimOptions};
use std::ops::RangeInclusive;
use std::process::ExitCode;

/// How many seeds are run if nothing is said.
const SEEDS: RangeInclusive<u64> = 1..=100;

/// Runs one seed or many. The exit code is 0 only if no invariant was violated.
pub(crate) fn run(options: &cli::Sim) -> ExitCode {
    let prepared = seeds(options).and_then(|seeds| settings(options, *seeds.start()).map(|settings| (seeds, settings)));
    match prepared {
        Ok((_, settings)) if options.seed.is_some() => sim::cli::run_one(&settings),
        Ok((seeds, settings)) => sim::cli::run_many(seeds, &settings),
        Err(why) => {
            eprintln!("quorate sim: {why}");
            ExitCode::from(2)
        }
    }
}

fn settings(options: &cli::Sim, seed: u64) -> Result<SimOptions, String> {
    let protocol = protocol(options)?;
    if options.observers > 0 && matches!(protocol, Protocol::Raft | Protocol::Etcd) {
        return Err("--observers: there are some in Zab only; with Raft all members vote here".into());
    }
    let off = options.off.iter().map(|name| name.parse().map_err(|unknown| format!("--off: {unknown}")));
    Ok(SimOptions {
        protocol,
        members: usize::from(options.members),
        observers: usize::from(options.observers),
        seconds: options.seconds,
        off: off.collect::<Result<Vec<_>, String>>()?,
        trace: options.trace,
        ..SimOptions::new(seed)
    })
}

/// ZooKeeper's tree stands on Zab and etcd's keyspace on Raft: who names it need not name that.
fn protocol(options: &cli::Sim) -> Result<Protocol, String> {
    let named = options.protocol.as_deref();
    let protocol = named.unwrap_or("raft").parse().map_err(|unknown| format!("--protocol: {unknown}"))?;
    match (options.stack.as_str(), protocol) {
        ("zookeeper", Protocol::Raft) if named.is_some() => Err("--stack zookeeper: it stands on Zab, not on Raft".into()),
        ("zookeeper", _) => Ok(Protocol::ZooKeeper),
        ("etcd", Protocol::Zab) => Err("--stack etcd: it stands on Raft, not on Zab".into()),
        ("etcd", _) => Ok(Protocol::Etcd),
        _ => Ok(protocol),
    }
}

/// `1..2000` has both ends, as people mean it.
fn seeds(options: &cli::Sim) -> Result<RangeInclusive<u64>, String> {
    if let Some(seed) = options.seed {
        return Ok(seed..=seed);
    }
    let Some(text) = &options.seeds else { return Ok(SEEDS) };
    let parsed = text
        .split_once("..")
        .and_then(|(from, to)| Some(from.trim().parse().ok()?..=to.trim_start_matches('=').trim().parse().ok()?));
    parsed
        .filter(|seeds| !seeds.is_empty())
        .ok_or_else(|| format!("--seeds {text:?} is no range; expected FROM..TO with both ends, such as 1..2000"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn options(line: &str) -> cli::Sim {
        match Cli::parse_from(["quorate", "sim"].into_iter().chain(line.split_whitespace())).command {
            Command::Sim(options) => options,
            _ => unreachable!("it is a sim"),
        }
    }

    #[test]
    fn seeds_have_both_ends() {
        assert_eq!(seeds(&options("--seeds 1..2000")), Ok(1..=2000));
        assert_eq!(seeds(&options("--seed 42")), Ok(42..=42));
        assert_eq!(seeds(&options("")), Ok(SEEDS));
        for bad in ["5..1", "1-5", "a..b"] {
            assert!(seeds(&options(&format!("--seeds {bad}"))).is_err(), "{bad}");
        }
    }

    #[test]
    fn mechanisms_are_switched_off_by_name() {
        let off = settings(&options("--seed 1 --off prevote,lease"), 1).expect("both are known").off;
        assert_eq!(off, [sim::Mechanism::PreVote, sim::Mechanism::Lease]);
        let unknown = settings(&options("--seed 1 --off gravity"), 1).expect_err("nobody can");
        assert!(unknown.contains("gravity") && unknown.contains("check-quorum"), "{unknown}");
    }

    #[test]
    fn only_zab_has_observers() {
        let zab = settings(&options("--seed 1 --protocol zab --members 3 --observers 2"), 1).expect("it is fine");
        assert_eq!((zab.protocol, zab.members, zab.observers), (Protocol::Zab, 3, 2));
        assert!(settings(&options("--seed 1 --observers 2"), 1).is_err());
    }

    #[test]
    fn zookeepers_tree_stands_on_zab() {
        for line in ["--seed 1 --stack zookeeper --observers 2", "--seed 1 --protocol zab --stack zookeeper"] {
            assert_eq!(settings(&options(line), 1).expect("it is fine").protocol, Protocol::ZooKeeper, "{line}");
        }
        assert!(settings(&options("--seed 1 --protocol raft --stack zookeeper"), 1).is_err());
    }

    #[test]
    fn etcds_keyspace_stands_on_raft() {
        for line in ["--seed 1 --stack etcd", "--seed 1 --protocol raft --stack etcd"] {
            assert_eq!(settings(&options(line), 1).expect("it is fine").protocol, Protocol::Etcd, "{line}");
        }
        assert!(settings(&options("--seed 1 --protocol zab --stack etcd"), 1).is_err());
        assert!(settings(&options("--seed 1 --stack etcd --observers 2"), 1).is_err());
    }
}
