//! The command line, as Java's programs and scripts take it.
//!
//! ```text
//!   zoo.cfg                                        QuorumPeerMain
//!   port dataDir [tickTime] [maxClientCnxns]       ZooKeeperServerMain
//!   start-foreground [zoo.cfg]                     zkServer.sh, which also looks at ZOOCFGDIR and ZOOCFG
//! ```

use super::fault::Fault;
use super::properties::Property;
use std::path::{Path, PathBuf};

pub(super) const USAGE: &str = "usage: quorate zookeeper ZOO.CFG
       quorate zookeeper PORT DATADIR [TICKTIME] [MAXCLIENTCNXNS]";

const HELP: &str = "One ZooKeeper server, configured by ZooKeeper's own file.

  ZOO.CFG    the file; COMPATIBILITY.md lists its keys
  PORT …     instead of a file: a server that stands alone, with the port of its clients, the folder of its data, the length of a
             tick in milliseconds, and how many connections one address may have

Linked under the names zookeeper or zkServer, this program does the same; as zkServer it also takes start-foreground [ZOO.CFG].
It ends with SIGTERM or SIGINT.";

/// What the command line asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// A server, by this file.
    File(PathBuf),
    /// A server that stands alone, by these keys.
    Keys(Vec<Property>),
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

pub(super) fn help() -> String {
    format!("{USAGE}\n\n{HELP}\n")
}

/// Reads the arguments after the program's name (or after `zookeeper`).
pub(super) fn read(arguments: &[String]) -> Result<Asked, Fault> {
    match arguments {
        [] => Err(Fault::Usage("a file zoo.cfg is missing".to_owned())),
        [word] if matches!(word.as_str(), "--help" | "-h" | "help") => Ok(Asked::Help),
        [word] if matches!(word.as_str(), "--version" | "version") => Ok(Asked::Version),
        [word, ..] if word.starts_with('-') => Err(Fault::Usage(format!(
            "{word}: there are no flags here; what Java takes as -Dzookeeper.KEY=VALUE is KEY=VALUE in the file"
        ))),
        [file] => Ok(Asked::File(PathBuf::from(file))),
        keys if keys.len() <= 4 => {
            let names = ["clientPort", "dataDir", "tickTime", "maxClientCnxns"];
            let keys = names.into_iter().zip(keys).zip(1..);
            Ok(Asked::Keys(keys.map(|((key, value), line)| Property { key: key.into(), value: value.clone(), line }).collect()))
        }
        _ => Err(Fault::Usage(format!("{} arguments are too many", arguments.len()))),
    }
}

/// Reads the arguments of zkServer.sh. `variable` gives variables of the environment.
pub(super) fn read_script(arguments: &[String], variable: impl Fn(&str) -> Option<String>) -> Result<Asked, Fault> {
    match arguments {
        [word, rest @ ..] if word == "start-foreground" => match rest {
            [] => {
                let folder = variable("ZOOCFGDIR").unwrap_or_else(|| "conf".to_owned());
                Ok(Asked::File(Path::new(&folder).join(variable("ZOOCFG").unwrap_or_else(|| "zoo.cfg".to_owned()))))
            }
            [file] => Ok(Asked::File(PathBuf::from(file))),
            _ => Err(Fault::Usage("start-foreground takes one file".to_owned())),
        },
        [word, ..] if matches!(word.as_str(), "start" | "stop" | "restart" | "status" | "upgrade" | "print-cmd") => {
            Err(Fault::Usage(format!("{word}: only start-foreground is done here; a service manager starts and stops it")))
        }
        _ => read(arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_file_or_a_port_and_a_folder() {
        assert_eq!(read(&words("conf/zoo.cfg")), Ok(Asked::File("conf/zoo.cfg".into())));
        let Ok(Asked::Keys(keys)) = read(&words("2181 /data 2000")) else { panic!("keys") };
        let keys: Vec<(&str, &str)> = keys.iter().map(|key| (key.key.as_str(), key.value.as_str())).collect();
        assert_eq!(keys, [("clientPort", "2181"), ("dataDir", "/data"), ("tickTime", "2000")]);
        assert_eq!(read(&words("--help")), Ok(Asked::Help));
        for wrong in ["", "1 2 3 4 5", "-Dzookeeper.snapCount=3 zoo.cfg"] {
            assert!(matches!(read(&words(wrong)), Err(Fault::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn the_scripts_words_are_known() {
        let variable = |name: &str| (name == "ZOOCFGDIR").then(|| "/conf".to_owned());
        assert_eq!(read_script(&words("start-foreground"), variable), Ok(Asked::File("/conf/zoo.cfg".into())));
        assert_eq!(read_script(&words("start-foreground a.cfg"), variable), Ok(Asked::File("a.cfg".into())));
        assert_eq!(read_script(&words("a.cfg"), variable), Ok(Asked::File("a.cfg".into())));
        assert!(matches!(read_script(&words("status"), variable), Err(Fault::Usage(_))));
    }
}
