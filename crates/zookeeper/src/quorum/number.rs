//! The numbers of the packets (Java: `Leader`).

pub(crate) const REQUEST: i32 = 1;
pub(crate) const PROPOSAL: i32 = 2;
pub(crate) const ACK: i32 = 3;
pub(crate) const COMMIT: i32 = 4;
pub(crate) const PING: i32 = 5;
pub(crate) const REVALIDATE: i32 = 6;
pub(crate) const SYNC: i32 = 7;
pub(crate) const INFORM: i32 = 8;
pub(crate) const COMMIT_AND_ACTIVATE: i32 = 9;
pub(crate) const NEW_LEADER: i32 = 10;
pub(crate) const FOLLOWER_INFO: i32 = 11;
pub(crate) const UP_TO_DATE: i32 = 12;
pub(crate) const DIFF: i32 = 13;
pub(crate) const TRUNC: i32 = 14;
pub(crate) const SNAP: i32 = 15;
pub(crate) const OBSERVER_INFO: i32 = 16;
pub(crate) const LEADER_INFO: i32 = 17;
pub(crate) const ACK_EPOCH: i32 = 18;
pub(crate) const INFORM_AND_ACTIVATE: i32 = 19;
