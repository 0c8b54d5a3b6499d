//! What `/health`, `/livez` and `/readyz` answer.
//!
//! `/health` answers JSON ([`crate::json::Health`]); the other two run named checks and answer text, one line a check:
//!
//! ```text
//! [+]serializable_read ok
//! [-]linearizable_read failed: etcdserver: request timed out
//! ```

use crate::json::{self, Health};
use std::fmt::Write;

/// No CORRUPT alarm is raised.
pub const DATA_CORRUPTION: &str = "data_corruption";
/// A local read succeeds.
pub const SERIALIZABLE_READ: &str = "serializable_read";
/// A read that a quorum confirms succeeds.
pub const LINEARIZABLE_READ: &str = "linearizable_read";

/// An answer over plain HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The HTTP status: 200, or 503 when something is wrong.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// How a check went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// Its name.
    pub name: &'static str,
    /// Why it failed; `None` if it did not.
    pub failure: Option<String>,
}

/// The answer to `/health`.
pub fn health(health: &Health) -> Answer {
    let body = json::to_string(health);
    // Go's http.Error ends its body with a newline.
    if health.health == "true" { Answer { status: 200, body } } else { Answer { status: 503, body: body + "\n" } }
}

/// The answer to `/livez` and `/readyz`, or to one check of theirs. Checks are listed if `verbose`, and whenever one failed.
pub fn report(checks: &[Checked], verbose: bool) -> Answer {
    let mut lines = String::new();
    for Checked { name, failure } in checks {
        let written = match failure {
            None => writeln!(lines, "[+]{name} ok"),
            Some(why) => writeln!(lines, "[-]{name} failed: {why}"),
        };
        written.expect("a String takes everything");
    }
    if checks.iter().any(|check| check.failure.is_some()) {
        return Answer { status: 503, body: lines + "\n" };
    }
    let listed = if verbose { lines } else { String::new() };
    Answer { status: 200, body: listed + "ok\n" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_json() {
        let answer = health(&Health::well());
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"health":"true","reason":""}"#));
        let answer = health(&Health::unwell("RAFT NO LEADER"));
        assert_eq!((answer.status, answer.body.as_str()), (503, "{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}\n"));
    }

    #[test]
    fn checks_are_listed_when_asked_for_and_when_one_fails() {
        let mut checks =
            vec![Checked { name: DATA_CORRUPTION, failure: None }, Checked { name: LINEARIZABLE_READ, failure: None }];
        assert_eq!(report(&checks, false), Answer { status: 200, body: "ok\n".into() });
        let body = "[+]data_corruption ok\n[+]linearizable_read ok\nok\n".into();
        assert_eq!(report(&checks, true), Answer { status: 200, body });
        checks[1].failure = Some("etcdserver: request timed out".into());
        let body = "[+]data_corruption ok\n[-]linearizable_read failed: etcdserver: request timed out\n\n".into();
        assert_eq!(report(&checks, false), Answer { status: 503, body });
    }
}
