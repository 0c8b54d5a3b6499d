//! Four-letter words: what a server says of itself to whoever connects and says one.
//!
//! The texts are ZooKeeper's, letter by letter as far as scripts and monitors look at them (Java: `org.apache.zookeeper.server.command`).

mod date;
mod lists;
mod portrait;
mod settings;
mod state;

pub(crate) use portrait::{folder_bytes, gauges, mode_name, peer_state, proposal_sizes};
pub(crate) use settings::{environment, folders};

use super::clients::Front;
use tracing::debug;
use zookeeper::words::Word;

/// The version whose behaviour this is, in the form in which clients and monitors look for it: what they can rely on is 3.9.3, and when
/// that was released. Behind it, who says so.
pub(crate) const VERSION: &str = concat!("3.9.3-quorate-", env!("CARGO_PKG_VERSION"), ", built on 2024-10-17 23:21 UTC");

/// What a server says that serves nobody.
pub(crate) const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

/// The answer to a word; `mask` came with `stmk`.
pub(crate) fn say(front: &Front, word: Word, mask: i64) -> String {
    if !front.desk().is_allowed(word) {
        return format!("{} is not executed because it is not in the whitelist.\n", word.name());
    }
    debug!(word = word.name(), "a word is answered");
    match word {
        Word::Ruok => return "imok".to_owned(),
        Word::GetTraceMask => return front.trace_mask().to_string(),
        Word::SetTraceMask => {
            front.set_trace_mask(mask);
            return mask.to_string();
        }
        Word::Envi => return settings::envi(),
        Word::TelnetClose => return String::new(),
        Word::Isro => {
            let state = match (front.serves_clients(), front.is_read_only()) {
                (true, _) => "rw",
                (false, true) => "ro",
                (false, false) => "null",
            };
            return state.to_owned();
        }
        _ => {}
    }
    if !front.serves_clients() && !front.is_read_only() {
        // Java ends the line behind each of them but this.
        return if word == Word::Hash { NOT_SERVING.to_owned() } else { format!("{NOT_SERVING}\n") };
    }
    match word {
        Word::Conf => settings::conf(front),
        Word::Dirs => settings::dirs(front),
        Word::Cons => lists::cons(front),
        Word::Dump => lists::dump(front),
        Word::Hash => lists::hash(front),
        Word::Wchc => lists::wchc(front),
        Word::Wchp => lists::wchp(front),
        Word::Wchs => lists::wchs(front),
        Word::Mntr => state::mntr(front),
        Word::Srvr => state::srvr(front, false),
        Word::Stat => state::srvr(front, true),
        Word::Crst => {
            front.reset_connections();
            "Connection stats reset.\n".to_owned()
        }
        Word::Srst => {
            front.reset();
            "Server stats reset.\n".to_owned()
        }
        Word::Ruok | Word::GetTraceMask | Word::SetTraceMask | Word::Envi | Word::TelnetClose | Word::Isro => {
            unreachable!("answered above")
        }
    }
}
