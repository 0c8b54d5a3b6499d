//! What a server is and where its clients reach it.

use super::super::value::{Kind, PORT, SOME, UNLESS};
use super::{Key, key};

const TLS: &str = "TLS is not built yet, so clients that were meant to be served over it could not be served";

pub(super) const KEYS: &[Key] = &[
    key("dataDir", Kind::Text, ""),
    key("dataLogDir", Kind::Text, ""),
    key("clientPort", PORT, ""),
    key("clientPortAddress", Kind::Text, ""),
    key("clientPortListenBacklog", UNLESS, "-1"),
    key("secureClientPort", PORT, "").refused(TLS),
    key("secureClientPortAddress", Kind::Text, "").refused(TLS),
    key("client.portUnification", Kind::Bool, "false").refused(TLS),
    key("tickTime", SOME, "3000"),
    key("leaderServes", Kind::YesNo, "yes"),
    key("readonlymode.enabled", Kind::Bool, "false"),
];
