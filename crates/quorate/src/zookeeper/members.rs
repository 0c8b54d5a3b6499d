//! Who is in the ensemble: `server.N`, `group.N` and `weight.N`, in zoo.cfg itself or in the file that `dynamicConfigFile` names
//! (Java: `QuorumPeerConfig.parseDynamicConfig`).

use super::fault::{Fault, Place};
use super::given::{Given, load};
use super::properties::Property;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use zookeeper::config::Ensemble;

/// Everybody. Without servers: the server stands alone.
pub(super) fn ensemble(given: &Given, warnings: &mut Vec<String>) -> Result<Ensemble, Fault> {
    let ensemble = match dynamic_file(given)? {
        Some(path) => of_dynamic_file(&path)?,
        None => of_static_file(given)?,
    };
    if !given.is("multiAddress.enabled")
        && let Some((id, server)) = ensemble.servers.iter().find(|(_, server)| server.addresses.len() > 1)
    {
        let sentence = format!("server.{}={server} has several addresses, for which multiAddress.enabled should be true", id.0);
        return Err(Fault::Rule(sentence));
    }
    let voters = ensemble.configuration().voters.len();
    let observers = ensemble.servers.len() - voters;
    let standalone_allowed = given.is("standaloneEnabled");
    match voters {
        0 if observers > 0 => Err(Fault::Rule("all servers are observers, and somebody should be a participant".to_owned())),
        0 if !standalone_allowed => {
            Err(Fault::Rule("standaloneEnabled=false, so there should be a line server.N for each server".to_owned()))
        }
        0 => Ok(Ensemble::default()),
        1 if standalone_allowed && observers > 0 => Err(Fault::Rule(
            "one participant and observers: standaloneEnabled should be false for them to find each other".to_owned(),
        )),
        1 if standalone_allowed => {
            warnings
                .push("one server is named, so it stands alone; with standaloneEnabled=false others could join it".to_owned());
            Ok(Ensemble { servers: ensemble.servers, ..Ensemble::default() })
        }
        _ => {
            if voters == 2 {
                warnings.push("of two participants none may fail; three tolerate the failure of one".to_owned());
            } else if voters % 2 == 0 {
                warnings.push(format!("{voters} participants tolerate no more failures than {}", voters - 1));
            }
            Ok(ensemble)
        }
    }
}

/// Whether these members vote among themselves; otherwise the server stands alone, whoever is named (Java:
/// `QuorumPeerConfig.isDistributed`).
pub(super) fn is_distributed(given: &Given, ensemble: &Ensemble) -> bool {
    !ensemble.servers.is_empty() && (!given.is("standaloneEnabled") || ensemble.configuration().voters.len() > 1)
}

/// The file with the members, if they are not in zoo.cfg.
fn dynamic_file(given: &Given) -> Result<Option<PathBuf>, Fault> {
    if !given.is_given("dynamicConfigFile") {
        return Ok(None);
    }
    let path = PathBuf::from(given.text("dynamicConfigFile"));
    if let Some(member) = given.members().first() {
        let sentence = format!("{} should be in {}, where dynamicConfigFile says that it is", member.key, path.display());
        return Err(given.fault(member.line, sentence));
    }
    // A change of the members that was begun and not yet committed: which of the two counts, only Java can find out yet.
    if let Some(next) = given.file().map(|file| PathBuf::from(format!("{}.dynamic.next", file.display())))
        && next.exists()
    {
        let sentence = format!(
            "{} says that the members were being changed when this server stopped, and reconfig is not built yet: let a Java server end it",
            next.display()
        );
        return Err(Fault::Rule(sentence));
    }
    Ok(Some(path))
}

fn of_static_file(given: &Given) -> Result<Ensemble, Fault> {
    let mut properties = given.members().to_vec();
    if given.is_given("version") {
        properties.push(Property { key: "version".into(), value: given.text("version").into(), line: 0 });
    }
    collect(&properties, |line, sentence| given.fault(line, sentence))
}

fn of_dynamic_file(path: &Path) -> Result<Ensemble, Fault> {
    let fault = |line, sentence| Fault::At { place: Place::Line(path.to_owned(), line), sentence };
    let properties = load(path)?;
    if let Some(version) = properties.iter().find(|property| property.key == "version") {
        return Err(fault(version.line, "version should be the end of the file's name, and not stand in it".to_owned()));
    }
    let mut ensemble = collect(&properties, fault)?;
    // zoo.cfg.dynamic.100000000 is version 0x100000000; a name that does not end with a number is version 0.
    let suffix = path.to_str().and_then(|path| path.rsplit_once('.')).map(|(_, suffix)| suffix);
    ensemble.version = suffix.and_then(|suffix| u64::from_str_radix(suffix, 16).ok()).unwrap_or(0);
    Ok(ensemble)
}

fn collect(properties: &[Property], fault: impl Fn(usize, String) -> Fault) -> Result<Ensemble, Fault> {
    let mut ensemble = Ensemble::default();
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    for Property { key, value, line } in properties {
        if let Some(earlier) = lines.insert(key, *line) {
            return Err(fault(*line, format!("{key} is already on line {earlier}, and should be there once")));
        }
        ensemble.take(key, value).map_err(|why| fault(*line, format!("{key}: {why}")))?;
    }
    ensemble.check().map_err(Fault::Rule)?;
    Ok(ensemble)
}
