//! How commands become bytes: owned by the crate that knows the original system.

use alloc::string::String;
use bytes::Bytes;
use consensus::{Entry, StateMachine};
use core::fmt;

/// Names a client's write in the log, unique in the cluster and for ever. etcd: the 64-bit request id. ZooKeeper: session and cxid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u128);

/// Between a state machine's types and the log's bytes.
pub trait Codec {
    /// Whose commands these are.
    type Machine: StateMachine;

    /// The id under which `request` is to go into the log.
    fn id(&mut self, request: &<Self::Machine as StateMachine>::Request) -> RequestId;

    /// A request, as it is forwarded to the leader.
    fn encode_request(&self, id: RequestId, request: &<Self::Machine as StateMachine>::Request) -> Bytes;

    /// A request that a follower forwarded.
    fn decode_request(&self, data: &Bytes) -> Result<(RequestId, <Self::Machine as StateMachine>::Request), Undecodable>;

    /// A command, as the log keeps it. `request` is the request that it was prepared from, as `encode_request` or another member
    /// encoded it: where the command says the same, these are its bytes.
    fn encode(&self, id: RequestId, command: &<Self::Machine as StateMachine>::Command, request: Bytes) -> Bytes;

    /// What a log entry says.
    fn decode(&self, entry: &Entry) -> Result<Decoded<<Self::Machine as StateMachine>::Command>, Undecodable>;
}

/// What a log entry says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decoded<C> {
    /// The request that it came from, if it names one.
    pub id: Option<RequestId>,
    /// `None`: nothing for the machine to do.
    pub command: Option<C>,
}

/// Bytes that this version cannot understand. In the log that is fatal: skipping an entry would make members differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Undecodable(pub String);

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
