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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_what_the_table_says() {
        let page = include_str!("../../../../COMPATIBILITY.md");
        for line in key_table().lines().filter(|line| !line.is_empty()) {
            assert!(page.contains(line), "COMPATIBILITY.md lacks {line:?}; `cargo run -- key-table` prints what belongs there");
        }
    }
}
