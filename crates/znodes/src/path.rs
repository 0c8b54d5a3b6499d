//! Paths.

/// The node that owns everything that ZooKeeper keeps for itself.
pub(crate) const ZOOKEEPER: &str = "/zookeeper";
/// Below it, quotas and what is used of them.
pub(crate) const QUOTA: &str = "/zookeeper/quota";
/// The ensemble's configuration.
pub(crate) const CONFIG: &str = "/zookeeper/config";

/// The path of the node above, or `None` above the root.
pub(crate) fn parent(path: &str) -> Option<&str> {
    match path.rfind('/') {
        Some(0) if path.len() > 1 => Some("/"),
        Some(0) | None => None,
        Some(slash) => Some(&path[..slash]),
    }
}

/// The last part of a path.
pub(crate) fn name(path: &str) -> &str {
    path.rfind('/').map_or(path, |slash| &path[slash + 1..])
}

/// Nodes that nobody may delete (Java: `DataTree.isSpecialPath`).
pub(crate) fn is_special(path: &str) -> bool {
    matches!(path, "/" | ZOOKEEPER | QUOTA | CONFIG)
}

/// Whether a path may name a node (Java: `PathUtils.validatePath`): it begins with a slash and does not end with one; no part is
/// empty, `.` or `..`; no character is one that terminals or XML choke on.
pub(crate) fn is_valid(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    if rest.is_empty() {
        return true;
    }
    rest.split('/').all(|part| !matches!(part, "" | "." | "..") && part.chars().all(is_allowed))
}

fn is_allowed(c: char) -> bool {
    // Java looks at UTF-16 units: everything beyond the basic plane is a pair of surrogates to it, and refused.
    !matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_has_no_parent() {
        assert_eq!(parent("/"), None);
        assert_eq!(parent("/a"), Some("/"));
        assert_eq!(parent("/a/b"), Some("/a"));
        assert_eq!((name("/a/b"), name("/a"), name("/")), ("b", "a", ""));
    }

    #[test]
    fn paths_are_refused_as_java_refuses_them() {
        for good in ["/", "/a", "/a/b", "/a/..b", "/.a", "/a...", "/zookeeper/quota", "/\u{e9}", "/a b"] {
            assert!(is_valid(good), "{good:?}");
        }
        for bad in
            ["", "a", "a/b", "/a/", "//", "//a", "/a//b", "/.", "/..", "/a/.", "/a/../b", "/a\0", "/\u{1}", "/\u{7f}", "/\u{9f}"]
        {
            assert!(!is_valid(bad), "{bad:?}");
        }
        for bad in ["/\u{e000}", "/\u{f8ff}", "/\u{fff0}", "/\u{ffff}", "/\u{1f600}"] {
            assert!(!is_valid(bad), "{bad:?}");
        }
    }
}
