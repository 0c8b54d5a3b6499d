//! What a server was given, key by key, and which of it can be done.

use super::fault::{Fault, Place};
use super::keys::{self, Key, State};
use super::properties::{self, Property};
use super::value::{truth, whole};
use crate::member::nearest;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Values by key; what is absent has its default.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    /// `None`: on the command line.
    file: Option<PathBuf>,
    values: BTreeMap<&'static str, Property>,
    /// `server.N`, `group.N`, `weight.N`, in the order of the file.
    members: Vec<Property>,
    /// What the operator should know: sentences for the log.
    pub(super) warnings: Vec<String>,
}

impl Given {
    /// What a file says.
    pub(super) fn read(path: &Path) -> Result<Given, Fault> {
        let given = Given { file: Some(path.to_owned()), ..Given::default() };
        given.with(load(path)?)
    }

    /// What arguments say.
    pub(super) fn of(arguments: Vec<Property>) -> Result<Given, Fault> {
        Given::default().with(arguments)
    }

    fn with(mut self, properties: Vec<Property>) -> Result<Given, Fault> {
        for property in properties {
            let key = keys::find(&property.key).ok_or_else(|| self.fault(property.line, unknown(&property.key)))?;
            if let Some(right) = key.kind.fault_in(&property.value)
                && !(property.value.is_empty() && key.default.is_empty())
            {
                return Err(self.fault(property.line, format!("{}={} should be {right}", property.key, property.value)));
            }
            if matches!(key.name, "server.*" | "group.*" | "weight.*") {
                self.members.push(property);
                continue;
            }
            self.judge(key, &property)?;
            let line = property.line;
            if let Some(earlier) = self.values.insert(key.name, property)
                && !key.name.ends_with('*')
            {
                let lines = (earlier.line, line);
                self.warnings
                    .push(format!("{} is there twice, on lines {} and {}: the latter counts", key.name, lines.0, lines.1));
            }
        }
        Ok(self)
    }

    /// Refuses what is not built and could do harm; warns of the rest.
    fn judge(&mut self, key: &Key, property: &Property) -> Result<(), Fault> {
        if property.value.is_empty() || key.kind.is_same(&property.value, key.default) {
            return Ok(());
        }
        match key.state {
            State::Built => {}
            State::Warned(why) => self.warnings.push(format!("{}={} has no effect: {why}", property.key, property.value)),
            State::Refused(why) => {
                let sentence = format!(
                    "{}={} is not built yet, and ignoring it could do harm: {why}; take the line out, or keep to Java for now",
                    property.key, property.value
                );
                return Err(self.fault(property.line, sentence));
            }
        }
        Ok(())
    }

    /// The file that was read.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The lines that name members.
    pub(super) fn members(&self) -> &[Property] {
        &self.members
    }

    /// What is wrong on a line.
    pub(super) fn fault(&self, line: usize, sentence: String) -> Fault {
        let place = match &self.file {
            Some(path) => Place::Line(path.clone(), line),
            None => Place::Argument(line),
        };
        Fault::At { place, sentence }
    }

    /// What is wrong with the value of a key that was given.
    pub(super) fn wrong(&self, name: &'static str, right: &str) -> Fault {
        match self.values.get(name) {
            Some(property) => self.fault(property.line, format!("{name}={} {right}", property.value)),
            None => Fault::Rule(format!("{name} is not set, and {right}")),
        }
    }

    /// Whether a key was given a value.
    pub(super) fn is_given(&self, name: &'static str) -> bool {
        self.values.get(name).is_some_and(|property| !property.value.is_empty())
    }

    /// A key's value; empty if it has none.
    pub(super) fn text(&self, name: &'static str) -> &str {
        match self.values.get(name) {
            Some(property) if !property.value.is_empty() => &property.value,
            _ => keys::find(name).expect("a key of the table").default,
        }
    }

    /// A number's value.
    pub(super) fn number(&self, name: &'static str) -> i64 {
        whole(self.text(name)).expect("numbers were looked at when the file was read")
    }

    /// A number's value, if it is a size or a span and not "unset".
    pub(super) fn size(&self, name: &'static str) -> Option<u64> {
        u64::try_from(self.number(name)).ok()
    }

    /// Whether a key says true.
    pub(super) fn is(&self, name: &'static str) -> bool {
        truth(self.text(name)) == Some(true)
    }

    /// Whether a key says yes.
    pub(super) fn says_yes(&self, name: &'static str) -> bool {
        self.text(name) == "yes"
    }
}

/// The properties of a file.
pub(super) fn load(path: &Path) -> Result<Vec<Property>, Fault> {
    let bytes = fs::read(path).map_err(|error| Fault::File { path: path.to_owned(), why: error.to_string() })?;
    properties::parse(&bytes).map_err(|bad| Fault::At {
        place: Place::Line(path.to_owned(), bad.line),
        sentence: "\\u should be followed by four hexadecimal digits".to_owned(),
    })
}

fn unknown(key: &str) -> String {
    let known = |name: &str| keys::find(name).is_some();
    if let Some(name) = key.strip_prefix("zookeeper.").filter(|name| known(name)) {
        return format!("{key} is no key, and Java ignores it: in the file it is called {name}");
    }
    let names = keys::all().map(|key| key.name);
    match nearest(key, names) {
        Some(near) => format!("{key} is no key; is it meant to be {near}?"),
        None => format!("{key} is no key; COMPATIBILITY.md lists them all"),
    }
}
