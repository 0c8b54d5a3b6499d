//! What a member was given: flags, `ETCD_*` variables or a file, and which of them counts.
//!
//! ```text
//!   --config-file or ETCD_CONFIG_FILE ──▶ the file alone; flags and variables are ignored
//!   otherwise                         ──▶ a flag, else its variable, else the default
//! ```

use super::fault::{ConfigFault, Source};
use super::file;
use super::flags::{self, Flag, Kind, State};
use super::nearest::nearest;
use super::value::Value;
use etcd::url::Url;
use std::collections::BTreeMap;
use std::time::Duration;

/// Values by flag; what is absent has its default.
#[derive(Debug, Default)]
pub(crate) struct Given {
    values: BTreeMap<&'static str, (Value, Source)>,
    /// What the operator should know: sentences for the log.
    pub(crate) warnings: Vec<String>,
}

/// What the command line asks for instead of a member.
#[derive(Debug)]
pub(crate) enum Asked {
    /// A member.
    Member(Given),
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

/// Reads the arguments after the program's name, and the environment.
pub(crate) fn read(arguments: &[String], environment: impl Iterator<Item = (String, String)>) -> Result<Asked, ConfigFault> {
    let mut given = Given::default();
    if given.read_arguments(arguments)? {
        return Ok(Asked::Help);
    }
    if given.bool("version") {
        return Ok(Asked::Version);
    }
    let mut environment: BTreeMap<String, String> =
        environment.filter(|(name, value)| name.starts_with("ETCD_") && !value.is_empty()).collect();
    let path = match given.text("config-file") {
        "" => environment.remove("ETCD_CONFIG_FILE").unwrap_or_default(),
        path => path.to_owned(),
    };
    if path.is_empty() {
        given.read_environment(environment)?;
    } else {
        let others = given.values.keys().any(|name| *name != "config-file") || !environment.is_empty();
        given = Given { values: file::read(&path)?, warnings: Vec::new() };
        if others {
            given.warnings.push(format!("flags and ETCD_* variables are ignored, because the file {path} was given"));
        }
    }
    given.judge()?;
    Ok(Asked::Member(given))
}

impl Given {
    /// Reads flags in Go's forms: `-name value`, `--name=value`, `--bool`. Returns whether help was asked for.
    fn read_arguments(&mut self, arguments: &[String]) -> Result<bool, ConfigFault> {
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if argument == "--" {
                return match rest.next() {
                    Some(word) => Err(ConfigFault::NotAFlag { word: word.clone() }),
                    None => Ok(false),
                };
            }
            let Some(name) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')).filter(|name| !name.is_empty())
            else {
                return Err(ConfigFault::NotAFlag { word: argument.clone() });
            };
            let (name, inline) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (name, None),
            };
            if matches!(name, "help" | "h") {
                return Ok(true);
            }
            let flag = flags::find(name).ok_or_else(|| ConfigFault::UnknownFlag {
                name: name.to_owned(),
                nearest: nearest(name, flags::all().map(|flag| flag.name)),
            })?;
            let value = match inline {
                Some(value) => value,
                // Only a bool may stand alone, and only behind `=` can it be false: Go's rule.
                None if flag.kind == Kind::Bool => "true",
                None => rest.next().ok_or(ConfigFault::NoValue { flag: flag.name })?,
            };
            self.set(flag, value, Source::Flag)?;
        }
        Ok(false)
    }

    fn read_environment(&mut self, mut environment: BTreeMap<String, String>) -> Result<(), ConfigFault> {
        // Images of containers say with it which etcd they hold; it is no wish to see the version.
        environment.remove("ETCD_VERSION");
        for flag in flags::all() {
            let Some(value) = environment.remove(&flag.variable()) else { continue };
            if self.is_given(flag.name) {
                self.warnings.push(format!("{} is ignored, because --{} was given", flag.variable(), flag.name));
            } else {
                self.set(flag, &value, Source::Environment)?;
            }
        }
        // Kubernetes puts ETCD_SERVICE_HOST and the like into every container beside a service called etcd.
        for name in environment.keys() {
            let guess = nearest(name, flags::all().map(|flag| flag.variable()).collect::<Vec<_>>().iter().map(String::as_str))
                .map_or_else(String::new, |near| format!("; is it meant to be {near}?"));
            self.warnings.push(format!("{name} is not a variable that is known here{guess}"));
        }
        Ok(())
    }

    fn set(&mut self, flag: &'static Flag, text: &str, source: Source) -> Result<(), ConfigFault> {
        let value = Value::parse(flag.kind, text).map_err(|wanted| ConfigFault::BadValue {
            flag: flag.name,
            value: text.to_owned(),
            source,
            wanted,
        })?;
        self.values.insert(flag.name, (value, source));
        Ok(())
    }

    /// Refuses what is not built and could do harm; warns of the rest.
    fn judge(&mut self) -> Result<(), ConfigFault> {
        for (name, (value, source)) in &self.values {
            let flag = flags::find(name).expect("only flags of the table are kept");
            if *value == flag.default_value() || turned_off(flag, value) {
                continue;
            }
            match flag.state {
                State::Built => {}
                State::Refused(why) => {
                    return Err(ConfigFault::NotBuilt { flag: flag.name, source: *source, why });
                }
                State::Warned(why) => self.warnings.push(format!("{} has no effect: {why}", source.name_of(flag))),
            }
        }
        Ok(())
    }

    /// Whether the operator gave this flag.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    fn value(&self, name: &str) -> Value {
        match self.values.get(name) {
            Some((value, _)) => value.clone(),
            None => flags::find(name).expect("a flag of the table").default_value(),
        }
    }

    /// A text's value.
    pub(crate) fn text(&self, name: &'static str) -> &str {
        match self.values.get(name) {
            Some((Value::Text(text), _)) => text,
            _ => flags::find(name).expect("a flag of the table").default,
        }
    }

    /// A number's value.
    pub(crate) fn number(&self, name: &str) -> u64 {
        match self.value(name) {
            Value::Number(number) => number,
            other => unreachable!("--{name} is a number, not {other:?}"),
        }
    }

    /// A bool's value.
    pub(crate) fn bool(&self, name: &str) -> bool {
        self.value(name) == Value::Bool(true)
    }

    /// A number's value, which may be below zero.
    pub(crate) fn signed(&self, name: &str) -> i64 {
        match self.value(name) {
            Value::Signed(number) => number,
            other => unreachable!("--{name} is a number, not {other:?}"),
        }
    }

    /// A span's value; below zero counts as zero.
    pub(crate) fn span(&self, name: &str) -> Duration {
        match self.value(name) {
            Value::Span(nanoseconds) => Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)),
            other => unreachable!("--{name} is a span, not {other:?}"),
        }
    }

    /// Whether what was given came from a file.
    pub(crate) fn is_given_by_file(&self) -> bool {
        self.values.values().any(|(_, source)| *source == Source::File)
    }

    /// A list of URLs.
    pub(crate) fn urls(&self, name: &str) -> Vec<Url> {
        match self.value(name) {
            Value::Urls(urls) => urls,
            other => unreachable!("--{name} is a list of URLs, not {other:?}"),
        }
    }

    /// A list of words.
    pub(crate) fn words(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Value::Words(words) => words,
            other => unreachable!("--{name} is a list of words, not {other:?}"),
        }
    }
}

/// Values beside the default that also mean "nothing of the kind is wanted".
fn turned_off(flag: &Flag, value: &Value) -> bool {
    match (flag.name, value) {
        // etcd takes an empty list for "any".
        ("host-whitelist" | "cors", Value::Words(words)) => words.iter().all(String::is_empty) || words.iter().any(|w| w == "*"),
        ("auth-token", Value::Text(text)) => text.is_empty() || text.starts_with("simple"),
        ("auto-compaction-retention", Value::Text(text)) => matches!(text.as_str(), "" | "0" | "0s" | "0m" | "0h"),
        (_, Value::Text(text)) => text.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
