//! What can be wrong with a configuration. Every sentence names the key, the value, the line and what would be right.

use std::fmt;
use std::path::PathBuf;

/// Where a key and its value stand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// On a line of a file.
    Line(PathBuf, usize),
    /// On the command line: the number of the argument.
    Argument(usize),
}

/// Why a server does not start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// The command line is none.
    Usage(String),
    /// A file cannot be read.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A key or its value is wrong.
    At {
        /// Where.
        place: Place,
        /// What is wrong, as a sentence without its end.
        sentence: String,
    },
    /// Several lines, or none, do not make sense together.
    Rule(String),
    /// The folder for the data cannot be used.
    Folder(String),
}

impl Fault {
    /// Java's exit code: 2 for what it was told, 3 for the data's folder.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Fault::Folder(_) => 3,
            _ => 2,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(path, line) => write!(f, "{}, line {line}", path.display()),
            Place::Argument(number) => write!(f, "argument {number}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Usage(why) => write!(f, "{why}\n{}", super::arguments::USAGE),
            Fault::File { path, why } => write!(f, "cannot use the file {}: {why}", path.display()),
            Fault::At { place, sentence } => write!(f, "{place}: {sentence}"),
            Fault::Rule(sentence) | Fault::Folder(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for Fault {}
