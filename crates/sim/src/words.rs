//! Questions and answers in plain words.

use crate::machine::{Change, Response};
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
pub(crate) fn answer(answer: &Answer<Response>) -> String {
    match answer {
        Answer::Applied(position, Response::Held(held)) => format!("done at {position}; before, it held {held}"),
        Answer::Read(position, Response::Held(held)) => format!("after {position} it holds {held}"),
        Answer::Transferred => "leadership was handed over".to_owned(),
        Answer::Refused(why) => format!("refused: {why:?}"),
    }
}
