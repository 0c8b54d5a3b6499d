//! The folder of the data: who this server is, and whether it may be used.

use super::fault::Fault;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// What the file `myid` says; `None` if there is none.
pub(super) fn id(folder: &Path) -> Result<Option<u64>, Fault> {
    let path = folder.join("myid");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(Fault::File { path, why: error.to_string() }),
    };
    let line = text.lines().next().unwrap_or_default().trim();
    match line.parse::<u64>().ok().filter(|&id| i64::try_from(id).is_ok()) {
        Some(id) => Ok(Some(id)),
        None => Err(Fault::Rule(format!(
            "{} says {line:?}, and should be a number, the N of this server's line server.N",
            path.display()
        ))),
    }
}

/// Refuses what is no folder, and, unless folders may be made, what is not there.
pub(super) fn check(data: &Path, log: &Path, may_create: bool) -> Result<(), Fault> {
    for (key, folder) in [("dataDir", data), ("dataLogDir", log)] {
        let why = match fs::metadata(folder) {
            Ok(found) if found.is_dir() => continue,
            Ok(_) => "is a file",
            Err(error) if error.kind() == ErrorKind::NotFound && may_create => continue,
            Err(error) if error.kind() == ErrorKind::NotFound => "is not there, and datadir.autocreate=false",
            Err(_) => "cannot be looked into",
        };
        return Err(Fault::Folder(format!("{key}={} {why}; it should be a folder", folder.display())));
    }
    Ok(())
}
