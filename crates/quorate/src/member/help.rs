//! `quorate etcd --help`, from the table.

use super::flags::{Flag, Kind, SECTIONS, State};
use std::fmt::Write;

const USAGE: &str = "\
Usage:

  quorate etcd [flags]
    Start one member of a cluster.

  quorate etcd --version
    Show the version.

  quorate etcd --config-file path
    Start with a YAML file; flags and ETCD_* variables are then ignored.

Flags take the forms --name value and --name=value; a bool is turned off with --name=false. Each can also be given as a
variable: --data-dir is ETCD_DATA_DIR.
";

/// The whole text.
pub(super) fn text() -> String {
    let mut text = USAGE.to_owned();
    for (heading, flags) in SECTIONS {
        write!(text, "\n{heading}:\n").expect("a String takes everything");
        for flag in flags {
            write!(text, "  --{}{}\n    {}\n", flag.name, default(flag), flag.help).expect("a String takes everything");
            match flag.state {
                State::Built => {}
                State::Warned(why) => writeln!(text, "    Not built: {why}.").expect("a String takes everything"),
                State::Refused(why) => writeln!(text, "    Refused, not built: {why}.").expect("a String takes everything"),
            }
        }
    }
    text
}

fn default(flag: &Flag) -> String {
    match flag.kind {
        Kind::Bool | Kind::Number(_) | Kind::Signed | Kind::Span => format!(" {}", flag.default),
        _ => format!(" '{}'", flag.default),
    }
}
