//! Every key of ZooKeeper 3.9's zoo.cfg: one table, from which the file and COMPATIBILITY.md are read. Keys that Java turns into system
//! properties (`snapCount` into `zookeeper.snapCount`) stand in it by the names that they have in the file.
//!
//! A key is in one of three states. *Built*: it does what Java's does. *Warned*: it is not built, and ignoring it does no harm to
//! data or access; the log says so once. *Refused*: it is not built, and ignoring it could endanger data or access, so a server
//! that is given it does not start. Both of the latter count only when the value differs from Java's default.

mod ensemble;
mod files;
mod gone;
mod limits;
mod observe;
mod security;
mod server;
mod tuning;

use super::value::Kind;

/// One key, or a family of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// As in the file. A family ends with `.*`.
    pub(super) name: &'static str,
    /// What its values look like.
    pub(super) kind: Kind,
    /// Java's default, as text. Empty: not set.
    pub(super) default: &'static str,
    /// What becomes of it here.
    pub(super) state: State,
}

/// What becomes of a key here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// It does what Java's does.
    Built,
    /// Not built; why ignoring it does no harm.
    Warned(&'static str),
    /// Not built; why ignoring it could endanger data or access.
    Refused(&'static str),
}

impl Key {
    const fn warned(mut self, why: &'static str) -> Key {
        self.state = State::Warned(why);
        self
    }

    const fn refused(mut self, why: &'static str) -> Key {
        self.state = State::Refused(why);
        self
    }

    /// The beginning of the names of a family.
    fn prefix(&self) -> Option<&'static str> {
        self.name.strip_suffix('*')
    }
}

const fn key(name: &'static str, kind: Kind, default: &'static str) -> Key {
    Key { name, kind, default, state: State::Built }
}

/// The table's sections, each with its heading.
pub(super) const SECTIONS: [(&str, &[Key]); 8] = [
    ("Server", server::KEYS),
    ("Ensemble", ensemble::KEYS),
    ("Sessions, connections and requests", limits::KEYS),
    ("Files", files::KEYS),
    ("Operators", observe::KEYS),
    ("Security", security::KEYS),
    ("Tuning", tuning::KEYS),
    ("Java's own", gone::KEYS),
];

/// Every key.
pub(super) fn all() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|(_, keys)| keys.iter())
}

/// The key of this name, or the family that it belongs to.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    let family =
        || all().find(|key| key.prefix().is_some_and(|prefix| name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty())));
    all().find(|key| key.name == name && key.prefix().is_none()).or_else(family)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for key in all().filter(|key| !key.default.is_empty()) {
            assert_eq!(key.kind.fault_in(key.default), None, "{} defaults to {}", key.name, key.default);
        }
    }

    #[test]
    fn no_key_stands_in_the_table_twice() {
        let mut names = BTreeSet::new();
        for key in all() {
            assert!(names.insert(key.name), "{} stands twice", key.name);
        }
    }

    #[test]
    fn every_reason_is_a_sentence() {
        for key in all() {
            if let State::Warned(why) | State::Refused(why) = key.state {
                assert!(why.len() > 20 && !why.ends_with('.'), "{}: {why:?}", key.name);
            }
        }
    }

    #[test]
    fn keys_that_guard_access_are_never_ignored() {
        for name in [
            "secureClientPort",
            "sslQuorum",
            "quorum.auth.enableSasl",
            "sessionRequireClientSASLAuth",
            "enforce.auth.enabled",
            "ensembleAuthName",
            "DigestAuthenticationProvider.enabled",
            "authProvider.sasl",
        ] {
            let key = find(name).expect("Java has it");
            assert!(!matches!(key.state, State::Warned(_)), "{name}");
        }
    }

    #[test]
    fn a_family_has_members_with_names() {
        assert_eq!(find("server.1").map(|key| key.name), Some("server.*"));
        assert_eq!(find("ssl.quorum.keyStore.location").map(|key| key.name), Some("ssl.*"));
        assert!(find("server.").is_none() && find("frobnicate").is_none());
    }
}
