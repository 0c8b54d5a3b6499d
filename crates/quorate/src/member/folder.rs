//! Whose data a folder holds, before anything in it is touched.

use super::fault::ConfigFault;
use std::fs;
use std::io;
use std::path::Path;

/// What a data folder holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Contents {
    /// Nothing, or it is not there.
    Nothing,
    /// A Quorate member's data, or the beginnings of one.
    Ours,
    /// Somebody else's: "a Go etcd's data (member/)".
    Foreign(String),
    /// It cannot be looked into.
    Unreadable(String),
}

/// What only others write, and who they are.
const OTHERS: [(&str, &str); 4] =
    [("member", "a Go etcd's"), ("proxy", "a Go etcd proxy's"), ("version-2", "a ZooKeeper's"), ("myid", "a ZooKeeper's")];

/// What a Quorate member writes.
const OURS: [&str; 7] = ["quorate", "lock", "log", "data", "snapshot", "journal", "journal.old"];

/// Looks into a folder.
pub(crate) fn contents(folder: &Path) -> Contents {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Contents::Nothing,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Contents::Foreign("a file, not a folder".to_owned());
        }
        Err(error) => return Contents::Unreadable(error.to_string()),
    };
    let mut names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    if let Some((name, whose)) = OTHERS.into_iter().find(|(name, _)| names.iter().any(|found| found == name)) {
        return Contents::Foreign(format!("{whose} data ({name})"));
    }
    if names.iter().any(|name| OURS.contains(&name.as_str())) {
        return Contents::Ours;
    }
    // A fresh file system has one of these.
    match names.into_iter().find(|name| name != "lost+found") {
        Some(name) => Contents::Foreign(format!("something that no member of Quorate wrote ({name})")),
        None => Contents::Nothing,
    }
}

/// Refuses to start a member on another system's data: it would begin as a stranger under an old name.
pub(super) fn check(folder: &Path) -> Result<(), ConfigFault> {
    match contents(folder) {
        Contents::Nothing | Contents::Ours => Ok(()),
        Contents::Foreign(what) => Err(ConfigFault::Rule(format!(
            "the data folder {} holds {what}; give an empty one, or a Quorate member's own, as --data-dir",
            folder.display()
        ))),
        Contents::Unreadable(why) => {
            Err(ConfigFault::Rule(format!("the data folder {} cannot be read: {why}", folder.display())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_whose_data_it_is() {
        let root = tempfile::tempdir().expect("the temporary folder can be written");
        for (sub, names, expected) in [
            ("absent", &[][..], Contents::Nothing),
            ("fresh", &["lost+found"], Contents::Nothing),
            ("ours", &["quorate", "log", "data"], Contents::Ours),
            ("begun", &["data"], Contents::Ours),
            ("etcd", &["member"], Contents::Foreign("a Go etcd's data (member)".to_owned())),
            ("zookeeper", &["version-2"], Contents::Foreign("a ZooKeeper's data (version-2)".to_owned())),
            ("else", &["thesis.tex"], Contents::Foreign("something that no member of Quorate wrote (thesis.tex)".to_owned())),
        ] {
            let folder = root.path().join(sub);
            for name in names {
                fs::create_dir_all(folder.join(name)).expect("the temporary folder can be written");
            }
            assert_eq!(contents(&folder), expected, "{sub}");
        }
    }
}
