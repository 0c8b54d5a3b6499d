//! The table of keys for COMPATIBILITY.md.

use super::keys::{SECTIONS, State};
use std::fmt::Write;

/// One Markdown table a section.
pub(crate) fn key_table() -> String {
    let mut text = String::new();
    for (heading, keys) in SECTIONS {
        write!(text, "\n#### {heading}\n\n| key | default | here |\n|---|---|---|\n").expect("a String takes everything");
        for key in keys {
            let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
            let state = match key.state {
                State::Built => "built".to_owned(),
                State::Warned(why) => format!("warns: {why}"),
                State::Refused(why) => format!("**refused**: {why}"),
            };
            writeln!(text, "| `{}` | {default} | {state} |", key.name).expect("a String takes everything");
        }
    }
    text
}
