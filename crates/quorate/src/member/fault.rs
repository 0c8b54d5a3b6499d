//! What can be wrong with a configuration. Every sentence names the key, the value and what would be right.

use super::flags::Flag;
use super::value::Wanted;
use std::fmt;

/// Where a value came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// The command line.
    Flag,
    /// An `ETCD_*` variable.
    Environment,
    /// The YAML file.
    File,
}

impl Source {
    /// What the operator wrote: `--name`, `ETCD_NAME` or the file's key.
    pub(crate) fn name_of(self, flag: &Flag) -> String {
        match self {
            Source::Flag => format!("--{}", flag.name),
            Source::Environment => flag.variable(),
            Source::File => flag.key.unwrap_or(flag.name).to_owned(),
        }
    }
}

/// Why a member does not start.
#[derive(Debug)]
pub(crate) enum ConfigFault {
    /// A word where a flag should stand.
    NotAFlag {
        /// The word.
        word: String,
    },
    /// A flag that no etcd knows.
    UnknownFlag {
        /// As given.
        name: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// A flag at the end of the line, without its value.
    NoValue {
        /// Which.
        flag: &'static str,
    },
    /// A value that is none.
    BadValue {
        /// Of which flag.
        flag: &'static str,
        /// As given.
        value: String,
        /// Where it stood.
        source: Source,
        /// What would be right.
        wanted: Wanted,
    },
    /// A flag that must not be ignored and is not built.
    NotBuilt {
        /// Which.
        flag: &'static str,
        /// Where it stood.
        source: Source,
        /// What would happen.
        why: &'static str,
    },
    /// The file cannot be read.
    File {
        /// Which.
        path: String,
        /// Why.
        why: String,
    },
    /// The file has a key that no etcd knows.
    UnknownKey {
        /// Which file.
        path: String,
        /// The key.
        key: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// Values that do not go together; the sentence is etcd's where etcd has one.
    Rule(String),
}

impl ConfigFault {
    /// As etcd's: 2 for what its flag parser refuses, 1 for everything else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            ConfigFault::UnknownFlag { .. }
            | ConfigFault::NoValue { .. }
            | ConfigFault::BadValue { source: Source::Flag, .. } => 2,
            _ => 1,
        }
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guess = |nearest: &Option<&str>, dashes: &str| match nearest {
            Some(name) => format!("; is it meant to be {dashes}{name}?"),
            None => String::new(),
        };
        match self {
            ConfigFault::NotAFlag { word } => write!(f, "'{word}' is not a valid flag"),
            ConfigFault::UnknownFlag { name, nearest } => {
                write!(f, "flag provided but not defined: -{name}{}", guess(nearest, "--"))
            }
            ConfigFault::NoValue { flag } => write!(f, "flag needs an argument: -{flag}"),
            ConfigFault::BadValue { flag, value, source, wanted } => {
                let place = match source {
                    Source::Flag => format!("flag -{flag}"),
                    Source::Environment => flag_of(flag).variable(),
                    Source::File => format!("key {}", Source::File.name_of(flag_of(flag))),
                };
                write!(f, "invalid value {value:?} for {place}: expected {}", wanted.0)
            }
            ConfigFault::NotBuilt { flag, source, why } => {
                write!(f, "{} is not built yet, and ignoring it could do harm: {why}", source.name_of(flag_of(flag)))
            }
            ConfigFault::File { path, why } => write!(f, "cannot use the configuration file {path}: {why}"),
            ConfigFault::UnknownKey { path, key, nearest } => {
                write!(f, "unknown key {key:?} in the configuration file {path}{}", guess(nearest, ""))
            }
            ConfigFault::Rule(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for ConfigFault {}

fn flag_of(name: &str) -> &'static Flag {
    super::flags::find(name).expect("faults name flags of the table")
}
