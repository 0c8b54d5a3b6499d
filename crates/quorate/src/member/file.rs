//! The YAML file: etcd's keys, which are the flags' names but for the sections of TLS and sockets.

use super::fault::{ConfigFault, Source};
use super::flags::{self, Flag, Kind};
use super::nearest::nearest;
use super::value::{Value, Wanted};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use std::collections::BTreeMap;
use std::fs;

type Values = BTreeMap<&'static str, (Value, Source)>;

/// Reads a file into values by flag.
pub(super) fn read(path: &str) -> Result<Values, ConfigFault> {
    let unusable = |why: String| ConfigFault::File { path: path.to_owned(), why };
    let text = fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    let documents = Yaml::load_from_str(&text).map_err(|error| unusable(error.to_string()))?;
    let mut reader = Reader { path, values: Values::new() };
    match documents.first() {
        None | Some(Yaml::Value(Scalar::Null)) => {}
        Some(Yaml::Mapping(entries)) => {
            for (key, node) in entries {
                reader.entry("", key, node)?;
            }
        }
        Some(_) => return Err(unusable("it is not a list of `key: value`".to_owned())),
    }
    Ok(reader.values)
}

struct Reader<'a> {
    path: &'a str,
    values: Values,
}

impl Reader<'_> {
    fn entry(&mut self, section: &str, key: &Yaml<'_>, node: &Yaml<'_>) -> Result<(), ConfigFault> {
        let key = format!("{section}{}", scalar(key).unwrap_or_default());
        if let (Yaml::Mapping(entries), true) = (node, is_section(&key)) {
            let section = format!("{key}.");
            return entries.iter().try_for_each(|(key, node)| self.entry(&section, key, node));
        }
        if matches!(node, Yaml::Value(Scalar::Null)) && (is_section(&key) || find(&key).is_some()) {
            // A key without a value leaves the default, as in etcd's own sample.
            return Ok(());
        }
        let flag = find(&key).ok_or_else(|| ConfigFault::UnknownKey {
            path: self.path.to_owned(),
            nearest: nearest(&key, flags::all().filter_map(|flag| flag.key)),
            key: key.clone(),
        })?;
        let text = match node {
            Yaml::Sequence(items) if matches!(flag.kind, Kind::Words) => {
                Some(items.iter().filter_map(scalar).collect::<Vec<_>>().join(","))
            }
            node => scalar(node),
        };
        let bad = |wanted| ConfigFault::BadValue {
            flag: flag.name,
            value: text.clone().unwrap_or_else(|| "a list".to_owned()),
            source: Source::File,
            wanted,
        };
        let value = match (&text, flag.kind) {
            (None, _) => return Err(bad(Wanted("one value".to_owned()))),
            // etcd takes nanoseconds here and nothing else; what flags take is as clear.
            (Some(text), Kind::Span) => match text.parse() {
                Ok(nanoseconds) => Ok(Value::Span(nanoseconds)),
                Err(_) => Value::parse(flag.kind, text),
            },
            // An empty value leaves etcd's default.
            (Some(text), Kind::Urls | Kind::Words | Kind::OneOf(_)) if text.is_empty() => return Ok(()),
            (Some(text), kind) => Value::parse(kind, text),
        };
        self.values.insert(flag.name, (value.map_err(bad)?, Source::File));
        Ok(())
    }
}

fn find(key: &str) -> Option<&'static Flag> {
    flags::all().find(|flag| flag.key.is_some_and(|known| known.eq_ignore_ascii_case(key)))
}

fn is_section(key: &str) -> bool {
    flags::all().any(|flag| flag.key.is_some_and(|known| known.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'))))
}

fn scalar(node: &Yaml<'_>) -> Option<String> {
    match node {
        Yaml::Value(Scalar::Boolean(value)) => Some(value.to_string()),
        Yaml::Value(Scalar::Integer(value)) => Some(value.to_string()),
        Yaml::Value(Scalar::FloatingPoint(value)) => Some(value.to_string()),
        Yaml::Value(Scalar::String(value)) => Some(value.to_string()),
        Yaml::Value(Scalar::Null) => Some(String::new()),
        Yaml::Tagged(_, inner) => scalar(inner),
        _ => None,
    }
}
