//! Bytes from outside that do not say what they should.

use std::borrow::Cow;
use std::fmt;

/// Where bytes stop making sense, and what was expected there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// Bytes from the beginning of what was being read.
    pub offset: usize,
    /// What should have stood there.
    pub expected: Cow<'static, str>,
    /// The number that stood there, if it was one.
    pub found: Option<i64>,
}

impl Malformed {
    pub(crate) fn at(offset: usize, expected: impl Into<Cow<'static, str>>) -> Malformed {
        Malformed { offset, expected: expected.into(), found: None }
    }

    pub(crate) fn number(offset: usize, expected: impl Into<Cow<'static, str>>, found: i64) -> Malformed {
        Malformed { offset, expected: expected.into(), found: Some(found) }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: expected {}", self.offset, self.expected)?;
        match self.found {
            Some(found) => write!(f, ", found {found}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Malformed {}
