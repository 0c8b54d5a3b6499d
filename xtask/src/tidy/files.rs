//! The state of the tracked files.

use crate::shell::{read, root};
use std::fs;
use std::process::Command;

/// A file is one idea; longer than this it has two.
const LINES_MAX: usize = 700;

/// What must not stay in code. Apart, so that this file is not its own finding.
const LEFTOVERS: [&str; 3] = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!(")];

/// Names of machines and folders that mean something to one machine only.
const PRIVATE: [&str; 8] = [
    concat!("deb", ".debian.org"),
    concat!("security", ".debian.org"),
    concat!("static", ".crates.io"),
    concat!("index", ".crates.io"),
    concat!("proxy", ".golang.org"),
    concat!("/wor", "k/"),
    concat!("/roo", "t/"),
    concat!("/hom", "e/"),
];

/// Pages that a reader looks for.
const PAGES: [&str; 7] =
    ["README.md", "ARCHITECTURE.md", "STYLE.md", "CONTRIBUTING.md", "CHANGELOG.md", "COMPATIBILITY.md", "LICENSE"];

pub(super) fn check(wrong: &mut Vec<String>) -> Result<(), String> {
    for page in PAGES {
        if !root().join(page).is_file() {
            wrong.push(format!("{page} is missing"));
        }
    }
    let tracked = read(Command::new("git").args(["ls-files"]).current_dir(root()))?;
    for path in tracked.lines().filter(|path| !path.ends_with("Cargo.lock")) {
        // A file that was deleted and not yet committed, or that is no text.
        let Ok(text) = fs::read_to_string(root().join(path)) else { continue };
        for private in PRIVATE {
            if let Some(line) = text.lines().position(|line| line.contains(private)) {
                wrong.push(format!("{path}:{} names {private}", line + 1));
            }
        }
        if path.ends_with(".rs") {
            check_code(path, &text, wrong);
        }
    }
    Ok(())
}

fn check_code(path: &str, text: &str, wrong: &mut Vec<String>) {
    let lines = text.lines().count();
    if lines > LINES_MAX {
        wrong.push(format!("{path} has {lines} lines; a file is one idea of at most {LINES_MAX}"));
    }
    if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
        wrong.push(format!("{path} must end with one line end"));
    }
    for (number, line) in text.lines().enumerate() {
        for leftover in LEFTOVERS.iter().filter(|leftover| line.contains(**leftover)) {
            wrong.push(format!("{path}:{} has {leftover}…)", number + 1));
        }
        if line.ends_with([' ', '\t']) {
            wrong.push(format!("{path}:{} ends with a space", number + 1));
        }
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    if ["utils.rs", "util.rs", "common.rs", "helpers.rs", "misc.rs"].contains(&name) {
        wrong.push(format!("{path}: name a file after its idea"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_wrong_with_a_file() {
        let mut wrong = Vec::new();
        check_code("crates/raft/src/utils.rs", &format!("fn f() {{ {}) }} \n\n", LEFTOVERS[0]), &mut wrong);
        assert_eq!(wrong.len(), 4, "{wrong:?}");
    }
}
