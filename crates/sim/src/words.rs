//! Questions and answers in plain words.

use crate::machine::{Change, Face, Told};
use crate::workload::Call;
use replica::Answer;

/// What a client asks for.
pub(crate) fn ask(call: &Call) -> String {
    match call {
        Call::Read(op, key) => format!("what does register {key} hold? (operation {op})"),
        Call::Look(op, key) => format!("what does register {key} hold, as far as you know? (operation {op})"),
        Call::Write(op, command) => match command.change {
            Change::Put(value) => format!("put {value} into register {} (operation {op})", command.key),
            Change::CompareAndSwap { old, new } => {
                format!("if register {} holds {old}, put {new} there (operation {op})", command.key)
            }
        },
    }
}

/// What a client is told.
pub(crate) fn answer<M: Face>(answer: &Answer<M::Response>) -> String {
    let tell = |response| match M::told(response) {
        Ok(Told { held: Some(held), .. }) => format!("it held {held}"),
        Ok(Told { version, .. }) => format!("it was written {} times", version.unwrap_or(0)),
        Err(what) => what,
    };
    match answer {
        Answer::Applied(position, response) => format!("done at {position}: {}", tell(response)),
        Answer::Read(position, response) => format!("after {position}: {}", tell(response)),
        Answer::Transferred => "leadership was handed over".to_owned(),
        Answer::Refused(why) => format!("refused: {why:?}"),
    }
}
