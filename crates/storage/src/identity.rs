//! Whose data it is.

use consensus::NodeId;
use std::fmt;

/// Whose data a folder holds: written into every file of it, so that files of another member are never taken for one's own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity(pub [u8; 16]);

impl Identity {
    /// The identity of a member that both systems name by a number, in a cluster that is named by a number, too.
    pub fn of(cluster: u64, member: NodeId) -> Identity {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&cluster.to_be_bytes());
        bytes[8..].copy_from_slice(&member.0.to_be_bytes());
        Identity(bytes)
    }

    /// The cluster's number.
    pub fn cluster(&self) -> u64 {
        u64::from_be_bytes(self.0[..8].try_into().expect("eight bytes"))
    }

    /// The member's number.
    pub fn member(&self) -> NodeId {
        NodeId(u64::from_be_bytes(self.0[8..].try_into().expect("eight bytes")))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "member {:x} of cluster {:x}", self.member().0, self.cluster())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
