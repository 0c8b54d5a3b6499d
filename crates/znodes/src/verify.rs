//! Whether the tree is what the leader said that it would be.

use alloc::collections::VecDeque;
use consensus::Position;

/// Every transaction may carry the digest that the tree has after it. A difference is counted and kept, not mended: like Java's
/// servers this one goes on.
#[derive(Debug, Default)]
pub(crate) struct Verify {
    /// A fuzzy snapshot was restored: not before this zxid is the tree that of any one moment, and then it has this digest.
    pub(crate) fuzzy_until: Option<(i64, u64)>,
    pub(crate) mismatches: u64,
    pub(crate) first_mismatch: Option<Position>,
    /// The digests at every 128th zxid, for the `hash` command.
    pub(crate) log: VecDeque<(Position, u64)>,
}

/// Java: `DataTree.DIGEST_LOG_INTERVAL` and `DIGEST_LOG_LIMIT`.
const LOG_EVERY: u64 = 128;
const LOG_LIMIT: usize = 1_024;

impl Verify {
    /// The tree has this digest at `position`; the leader said `told`.
    pub(crate) fn check(&mut self, position: Position, digest: u64, told: Option<u64>) {
        let zxid = position.zxid() as i64;
        let told = match self.fuzzy_until {
            None => told,
            Some((until, _)) if zxid < until => return,
            Some((until, expected)) => {
                self.fuzzy_until = None;
                if zxid == until { Some(expected) } else { told }
            }
        };
        if told.is_some_and(|told| told != digest) {
            self.mismatches += 1;
            self.first_mismatch.get_or_insert(position);
        }
        if position.zxid().is_multiple_of(LOG_EVERY) {
            if self.log.len() == LOG_LIMIT {
                self.log.pop_front();
            }
            self.log.push_back((position, digest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_compared_while_a_restored_tree_is_fuzzy() {
        let mut verify = Verify { fuzzy_until: Some((3, 30)), ..Verify::default() };
        verify.check(Position::from_zxid(2), 0, Some(20));
        assert_eq!(verify.mismatches, 0);
        verify.check(Position::from_zxid(3), 30, None);
        assert_eq!(verify.mismatches, 0);
        verify.check(Position::from_zxid(4), 41, Some(40));
        assert_eq!((verify.mismatches, verify.first_mismatch), (1, Some(Position::from_zxid(4))));
    }

    #[test]
    fn every_128th_digest_is_kept() {
        let mut verify = Verify::default();
        for zxid in 1..=256 {
            verify.check(Position::from_zxid(zxid), zxid, None);
        }
        assert_eq!(verify.log, [(Position::from_zxid(128), 128), (Position::from_zxid(256), 256)]);
    }
}
