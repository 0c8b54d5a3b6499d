//! Which Debian mirror this machine uses, from its own apt configuration.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where packages come from and who must have signed them.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Mirror {
    /// As apt's configuration has it.
    pub(super) uri: String,
    /// The keys of Debian's archive.
    pub(super) keyring: PathBuf,
}

/// Where Debian's package of its own keys puts them.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The mirror of Debian's main archive that this machine's apt is configured with.
pub(super) fn debian_mirror() -> Result<Mirror, String> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).unwrap_or("").trim_matches('"');
    if !release.lines().any(|line| line.trim() == "ID=debian") {
        return Err("peers: this machine is not a Debian, so its apt knows no mirror of Debian's packages".to_owned());
    }
    let found = files().iter().find_map(|path| {
        let text = fs::read_to_string(path).ok()?;
        let entries = if path.extension().is_some_and(|e| e == "sources") { deb822(&text) } else { one_line(&text) };
        entries.into_iter().find(|entry| entry.is_main_archive(codename))
    });
    let entry = found.ok_or_else(|| {
        format!("peers: no entry of apt's sources names Debian's {codename} main, so no mirror of Debian is known")
    })?;
    let keyring = entry.signed_by.map_or_else(|| PathBuf::from(KEYRING), PathBuf::from);
    if !keyring.is_file() {
        return Err(format!("peers: Debian's keys are not at {}", keyring.display()));
    }
    Ok(Mirror { uri: entry.uri, keyring })
}

fn files() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        let mut parts: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is_list(path)).collect();
        parts.sort();
        files.extend(parts);
    }
    files
}

fn is_list(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "list" || extension == "sources")
}

#[derive(PartialEq, Eq, Debug)]
struct Source {
    uri: String,
    suites: Vec<String>,
    components: Vec<String>,
    signed_by: Option<String>,
}

impl Source {
    fn is_main_archive(&self, codename: &str) -> bool {
        let suite = |suite: &String| suite == codename || ["stable", "testing", "unstable", "sid"].contains(&suite.as_str());
        self.components.iter().any(|component| component == "main") && self.suites.iter().any(suite)
    }
}

/// `deb [signed-by=/path] uri suite component…`
fn one_line(text: &str) -> Vec<Source> {
    let parse = |line: &str| {
        let rest = line.trim().strip_prefix("deb ")?.trim();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => ("", rest),
        };
        let mut words = rest.split_whitespace();
        Some(Source {
            uri: words.next()?.to_owned(),
            suites: vec![words.next()?.to_owned()],
            components: words.map(str::to_owned).collect(),
            signed_by: options.split_whitespace().find_map(|option| option.strip_prefix("signed-by=")).map(str::to_owned),
        })
    };
    text.lines().filter_map(parse).collect()
}

/// Paragraphs of `Key: value` lines, apart by an empty line.
fn deb822(text: &str) -> Vec<Source> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let paragraphs = lines.split(|line| line.trim().is_empty());
    let parse = |paragraph: &[&str]| {
        let fields: BTreeMap<String, &str> = paragraph
            .iter()
            .filter_map(|line| line.split_once(':'))
            .map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim()))
            .collect();
        let words = |key: &str| fields.get(key).map_or_else(Vec::new, |v| v.split_whitespace().map(str::to_owned).collect());
        if !words("types").iter().any(|kind| kind == "deb") || fields.get("enabled").is_some_and(|value| *value == "no") {
            return None;
        }
        Some(Source {
            uri: words("uris").into_iter().next()?,
            suites: words("suites"),
            components: words("components"),
            // A key may also stand here in full; then the system's keyring serves.
            signed_by: words("signed-by").into_iter().find(|value| value.starts_with('/')),
        })
    };
    paragraphs.filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_line_entries() {
        let text =
            "# a comment\ndeb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib\ndeb-src x y z\n";
        let sources = one_line(text);
        assert_eq!(sources.len(), 1);
        assert_eq!(sources[0].uri, "http://mirror.example/debian");
        assert_eq!(sources[0].signed_by.as_deref(), Some("/k.gpg"));
        assert!(sources[0].is_main_archive("bookworm"));
    }

    #[test]
    fn reads_deb822_entries_and_tells_the_archive_from_its_security_updates() {
        let text = "Types: deb\n# why\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\n\
                    Types: deb\nURIs: http://mirror.example/security\nSuites: bookworm-security\nComponents: main\n";
        let sources = deb822(text);
        assert_eq!(sources.iter().map(|s| s.is_main_archive("bookworm")).collect::<Vec<_>>(), [true, false]);
        assert_eq!(sources[0].uri, "http://mirror.example/debian");
    }

    #[test]
    fn passes_over_other_vendors() {
        let text = "deb https://vendor.example/apt vendor-bookworm main\n";
        assert!(!one_line(text)[0].is_main_archive("bookworm"));
    }
}
