//! Ids for requests and leases, unique in the cluster without asking anybody.
//!
//! ```text
//! │ 2 bytes: low end of the member id │ 5 bytes: milliseconds since 1970 at the start │ 1 byte: counter │
//! ```
//!
//! The counter runs over into the time, which is meant: less than 256 requests a millisecond were made since the start, so that
//! the next start is ahead of it.

use consensus::NodeId;
use core::time::Duration;

const COUNTER_BITS: u32 = 8;
const SUFFIX_BITS: u32 = 40 + COUNTER_BITS;
const SUFFIX: u64 = (1 << SUFFIX_BITS) - 1;

/// Gives ids, each once.
#[derive(Clone, Debug)]
pub struct RequestIds {
    prefix: u64,
    suffix: u64,
}

impl RequestIds {
    /// For a member that starts so long after 1970.
    pub fn new(member: NodeId, since_1970: Duration) -> RequestIds {
        let milliseconds = since_1970.as_millis() as u64; // 5 bytes of it count
        RequestIds { prefix: member.0 << SUFFIX_BITS, suffix: (milliseconds << COUNTER_BITS) & SUFFIX }
    }

    /// The next id.
    pub fn next_request(&mut self) -> u64 {
        self.suffix = (self.suffix + 1) & SUFFIX;
        self.prefix | self.suffix
    }

    /// The next id, for a lease: positive as a signed number, and not 0.
    pub fn next_lease(&mut self) -> i64 {
        loop {
            let id = (self.next_request() & i64::MAX as u64) as i64;
            if id != 0 {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_member_time_and_counter() {
        // etcd's own example: member 0x12, at millisecond 0x3456.
        let mut ids = RequestIds::new(NodeId(0x12), Duration::from_millis(0x3456));
        assert_eq!(ids.next_request(), 0x12_0000_0034_5601);
        assert_eq!(ids.next_request(), 0x12_0000_0034_5602);
    }

    #[test]
    fn a_start_one_millisecond_later_is_ahead() {
        let first = |milliseconds| RequestIds::new(NodeId(7), Duration::from_millis(milliseconds)).next_request();
        assert!(first(1001) > first(1000) + 254);
    }

    #[test]
    fn the_counter_never_reaches_the_member() {
        let mut ids = RequestIds { prefix: 0xffff << SUFFIX_BITS, suffix: SUFFIX - 1 };
        assert_eq!(ids.next_request(), u64::MAX);
        assert_eq!(ids.next_request(), 0xffff << SUFFIX_BITS);
    }

    #[test]
    fn leases_are_positive() {
        let mut ids = RequestIds { prefix: 1 << 63, suffix: SUFFIX };
        assert_eq!(ids.next_lease(), 1, "0 is no lease");
        assert!(RequestIds::new(NodeId(u64::MAX), Duration::MAX).next_lease() > 0);
    }
}
