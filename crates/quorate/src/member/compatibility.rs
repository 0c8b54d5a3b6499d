//! The table of flags for COMPATIBILITY.md.

use super::flags::{Era, SECTIONS, State};
use std::fmt::Write;

/// One Markdown table a section.
pub(crate) fn flag_table() -> String {
    let mut text = String::new();
    for (heading, flags) in SECTIONS {
        write!(text, "\n### {heading}\n\n| flag | etcd | default | here |\n|---|---|---|---|\n")
            .expect("a String takes everything");
        for flag in flags {
            let era = match flag.era {
                Era::Both => "3.5, 3.6",
                Era::New => "3.6",
                Era::Old => "3.5",
            };
            let default = if flag.default.is_empty() { String::new() } else { format!("`{}`", flag.default) };
            let state = match flag.state {
                State::Built => "built".to_owned(),
                State::Warned(why) => format!("warns: {why}"),
                State::Refused(why) => format!("**refused**: {why}"),
            };
            writeln!(text, "| `--{}` | {era} | {default} | {state} |", flag.name).expect("a String takes everything");
        }
    }
    text
}
