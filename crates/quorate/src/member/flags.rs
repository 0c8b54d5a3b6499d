//! Every flag of etcd 3.5, and those that 3.6 added: one table, from which the command line, the environment, the file, the help
//! text and COMPATIBILITY.md are read.
//!
//! A flag is in one of three states. *Built*: it does what etcd's does. *Warned*: it is not built, and ignoring it does no harm to
//! data or access; the log says so once. *Refused*: it is not built, and ignoring it could endanger data or access, so a member
//! that is given it does not start. Both of the latter count only when the value differs from etcd's default.

mod basics;
mod cluster;
mod gone;
mod observe;
mod security;
mod tuning;

use super::value::Value;

/// One flag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    /// As on etcd's command line, without dashes.
    pub(crate) name: &'static str,
    /// What its values look like.
    pub(crate) kind: Kind,
    /// etcd's default, as text.
    pub(crate) default: &'static str,
    /// What becomes of it here.
    pub(crate) state: State,
    /// Its key in the YAML file; a dot leads into a section. `None`: it cannot stand there.
    pub(crate) key: Option<&'static str>,
    /// Which etcd knows it.
    pub(crate) era: Era,
    /// What it is for.
    pub(crate) help: &'static str,
}

/// What a flag's values look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// True or false; alone it means true.
    Bool,
    /// A whole number from zero up, at most this.
    Number(u64),
    /// A whole number, also below zero.
    Signed,
    /// A span of time: `1h15m`, `100ms`. In the file: nanoseconds.
    Span,
    /// URLs, apart by commas.
    Urls,
    /// Words, apart by commas.
    Words,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// What becomes of a flag here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// It does what etcd's does.
    Built,
    /// Not built; why ignoring it does no harm.
    Warned(&'static str),
    /// Not built; why ignoring it could endanger data or access.
    Refused(&'static str),
}

/// Which etcd knows a flag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Era {
    /// 3.5 and 3.6.
    Both,
    /// 3.6 and not 3.5.
    New,
    /// 3.5 and not 3.6, or known to etcd only in order to be ignored.
    Old,
}

impl Flag {
    /// Its variable in the environment.
    pub(crate) fn variable(&self) -> String {
        format!("ETCD_{}", self.name.to_uppercase().replace('-', "_"))
    }

    /// Its default, parsed.
    pub(crate) fn default_value(&self) -> Value {
        Value::parse(self.kind, self.default).expect("the table's defaults are values of their kinds")
    }

    const fn warned(mut self, why: &'static str) -> Flag {
        self.state = State::Warned(why);
        self
    }

    const fn refused(mut self, why: &'static str) -> Flag {
        self.state = State::Refused(why);
        self
    }

    const fn key(mut self, key: &'static str) -> Flag {
        self.key = Some(key);
        self
    }

    const fn not_in_file(mut self) -> Flag {
        self.key = None;
        self
    }

    const fn new_in_36(mut self) -> Flag {
        self.era = Era::New;
        self
    }

    const fn gone_in_36(mut self) -> Flag {
        self.era = Era::Old;
        self
    }
}

const fn flag(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Flag {
    Flag { name, kind, default, state: State::Built, key: Some(name), era: Era::Both, help }
}

/// The table's sections, each with its heading.
pub(crate) const SECTIONS: [(&str, &[Flag]); 6] = [
    ("Member", basics::FLAGS),
    ("Clustering", cluster::FLAGS),
    ("Security", security::FLAGS),
    ("Logging, metrics, profiling and tracing", observe::FLAGS),
    ("Tuning", tuning::FLAGS),
    ("Left over from etcd's older days", gone::FLAGS),
];

/// Every flag.
pub(crate) fn all() -> impl Iterator<Item = &'static Flag> {
    SECTIONS.iter().flat_map(|(_, flags)| flags.iter())
}

/// The flag of this name.
pub(crate) fn find(name: &str) -> Option<&'static Flag> {
    all().find(|flag| flag.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for flag in all() {
            let parsed = Value::parse(flag.kind, flag.default);
            assert!(parsed.is_ok(), "--{} defaults to {:?}: {parsed:?}", flag.name, flag.default);
        }
    }

    #[test]
    fn no_flag_stands_in_the_table_twice() {
        let mut names = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for flag in all() {
            assert!(names.insert(flag.name), "--{} stands twice", flag.name);
            if let Some(key) = flag.key {
                assert!(keys.insert(key), "the key {key} stands twice");
            }
        }
    }

    #[test]
    fn every_reason_is_a_sentence() {
        for flag in all() {
            if let State::Warned(why) | State::Refused(why) = flag.state {
                assert!(why.len() > 20 && !why.ends_with('.'), "--{}: {why:?}", flag.name);
            }
        }
    }

    #[test]
    fn flags_that_guard_access_are_never_ignored() {
        for name in ["cert-file", "client-cert-auth", "peer-trusted-ca-file", "auto-tls", "host-whitelist", "auth-token"] {
            let flag = find(name).expect("etcd has it");
            assert!(!matches!(flag.state, State::Warned(_)), "--{name}");
        }
    }
}
