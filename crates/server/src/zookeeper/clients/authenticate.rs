//! Who a client is.

use super::connection::{ConnectionId, host};
use super::desk::{Desk, Moment};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use tracing::{debug, warn};
use znodes::{ErrorCode, Id};
use zookeeper::client::encode_header;

impl Desk {
    /// A client says who it is, and what proves it (Java: `ZooKeeperServer.processPacket`). What it asks for from now on it asks for as
    /// that one, too.
    pub(super) fn authenticate(&mut self, moment: &Moment<'_>, id: ConnectionId, xid: i32, scheme: &str, proof: &[u8]) {
        let Some(connection) = self.get(id) else { return };
        let address = connection.address;
        let ids = match scheme {
            "digest" if self.settings.tree.schemes.digest => {
                self.settings.tree.digest_ids(digest(&String::from_utf8_lossy(proof)))
            }
            "ip" => vec![Id { scheme: "ip".to_owned(), id: host(address) }],
            _ => Vec::new(),
        };
        let failure = if ids.is_empty() {
            Some("there is no such scheme here")
        } else if !connection.may_also_be(&ids) {
            Some("one client cannot be so many")
        } else {
            None
        };
        if let Some(why) = failure {
            warn!(%address, scheme, "Authentication failed: {why}");
            self.totals.auth_failed += 1;
            let error = ErrorCode::AuthFailed.number();
            return self.answer_in_turn(moment, id, true, |out| encode_header(xid, 0, error, out));
        }
        debug!(%address, scheme, "auth success");
        if let Some(connection) = self.get_mut(id) {
            ids.into_iter().for_each(|id| connection.is_also(id));
        }
        self.answer_in_turn(moment, id, false, |out| encode_header(xid, 0, 0, out));
    }
}

/// `user:base64(sha1(user:password))`.
fn digest(user_and_password: &str) -> String {
    let user = user_and_password.split(':').next().unwrap_or_default();
    format!("{user}:{}", STANDARD.encode(Sha1::digest(user_and_password.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_javas() {
        // From ZooKeeper's administrator's guide.
        assert_eq!(digest("super:superpw"), "super:g9oN2HttPfn8MMWJZ2r45Np/LIA=");
    }
}
