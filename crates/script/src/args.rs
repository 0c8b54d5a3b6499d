//! A command's arguments, as types.

use consensus::NodeId;
use core::fmt;
use core::time::Duration;
use goldenscript::{ArgumentConsumer, Command};
use std::error::Error;
use std::str::FromStr;

/// A command's arguments, taken one by one.
pub struct Args<'a> {
    left: ArgumentConsumer<'a>,
}

/// An argument that a command cannot use.
#[derive(Debug)]
pub struct BadArgument {
    /// What is there.
    given: String,
    /// What would be right.
    wanted: &'static str,
}

impl fmt::Display for BadArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} where {} was expected", self.given, self.wanted)
    }
}

impl Error for BadArgument {}

impl BadArgument {
    /// `given` is not what `wanted` says, as an error.
    pub(crate) fn boxed(given: &str, wanted: &'static str) -> Box<dyn Error> {
        Box::new(BadArgument { given: given.into(), wanted })
    }
}

impl<'a> Args<'a> {
    /// The arguments of `command`.
    pub(crate) fn of(command: &'a Command) -> Args<'a> {
        Args { left: command.consume_args() }
    }

    /// The next positional argument, if there is one.
    pub fn word(&mut self) -> Option<&'a str> {
        self.left.next_pos()
    }

    /// The next positional argument.
    pub fn needed(&mut self, wanted: &'static str) -> Result<&'a str, Box<dyn Error>> {
        self.word().ok_or_else(|| BadArgument::boxed("", wanted))
    }

    /// The next positional argument, as a member.
    pub fn node(&mut self) -> Result<NodeId, Box<dyn Error>> {
        node(self.needed("a member")?)
    }

    /// All positional arguments that are left, as members.
    pub fn nodes(&mut self) -> Result<Vec<NodeId>, Box<dyn Error>> {
        core::iter::from_fn(|| self.word()).map(node).collect()
    }

    /// The next positional argument, as a span of time.
    pub fn span(&mut self) -> Result<Duration, Box<dyn Error>> {
        span(self.needed("a span such as 150ms or 2s")?)
    }

    /// The value of `key=…`, if given.
    pub fn key(&mut self, key: &str) -> Option<&'a str> {
        self.left.take_key(key)
    }

    /// The value of `key=…` as a member, if given.
    pub fn key_node(&mut self, key: &str) -> Result<Option<NodeId>, Box<dyn Error>> {
        self.key(key).map(node).transpose()
    }

    /// The value of `key=…` as a number, if given.
    pub fn key_number<T: FromStr>(&mut self, key: &str) -> Result<Option<T>, Box<dyn Error>> {
        self.key(key).map(number).transpose()
    }

    /// Any `key=value` that is left.
    pub fn any_key(&mut self) -> Option<(&'a str, &'a str)> {
        self.left.next_key()
    }

    /// Nothing may be left.
    pub fn end(self) -> Result<(), Box<dyn Error>> {
        self.left.reject_next()
    }
}

/// Reads a member's number.
pub(crate) fn node(word: &str) -> Result<NodeId, Box<dyn Error>> {
    word.parse().map(NodeId).map_err(|_| BadArgument::boxed(word, "a member"))
}

/// Reads a number.
pub(crate) fn number<T: FromStr>(word: &str) -> Result<T, Box<dyn Error>> {
    word.parse().map_err(|_| BadArgument::boxed(word, "a number"))
}

/// Reads `on` or `off`.
pub(crate) fn switch(word: &str) -> Result<bool, Box<dyn Error>> {
    match word {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(BadArgument::boxed(word, "on or off")),
    }
}

/// Reads a span such as `150ms` or `2s`.
pub(crate) fn span(word: &str) -> Result<Duration, Box<dyn Error>> {
    let bad = || BadArgument::boxed(word, "a span such as 150ms or 2s");
    let (digits, unit) = match word.strip_suffix("ms") {
        Some(digits) => (digits, Duration::from_millis(1)),
        None => (word.strip_suffix('s').ok_or_else(bad)?, Duration::from_secs(1)),
    };
    Ok(unit * digits.parse::<u32>().map_err(|_| bad())?)
}

/// Reads a link such as `1-2`.
pub(crate) fn link(word: &str) -> Result<(NodeId, NodeId), Box<dyn Error>> {
    let (a, b) = word.split_once('-').ok_or_else(|| BadArgument::boxed(word, "a link such as 1-2"))?;
    Ok((node(a)?, node(b)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_links_are_read() {
        assert_eq!(span("150ms").unwrap(), Duration::from_millis(150));
        assert_eq!(span("2s").unwrap(), Duration::from_secs(2));
        assert!(span("2").is_err());
        assert_eq!(link("1-2").unwrap(), (NodeId(1), NodeId(2)));
        assert_eq!(link("1").unwrap_err().to_string(), "\"1\" where a link such as 1-2 was expected");
    }
}
