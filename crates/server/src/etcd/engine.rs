//! The pure parts of which an etcd member is made.

use bytes::Bytes;
use consensus::{Restore, RestoreError};
use std::convert::Infallible;

/// The protocol.
pub(crate) type Protocol = raft::Raft;
/// The state machine.
pub(crate) type Machine = keyspace::Keyspace;
/// Between the machine's commands and the log's bytes.
pub(crate) type Codec = super::codec::EtcdCodec;
/// One member.
pub(crate) type Replica = replica::Replica<Protocol, Machine, Codec>;
/// What it is told.
pub(crate) type Event = replica::Event<raft::Message, Machine, keyspace::Command, keyspace::Query>;
/// What it asks for.
pub(crate) type Effect = replica::Effect<raft::Message, raft::Decision, keyspace::Response, Infallible>;

/// The machine that the pieces of a snapshot make.
pub(crate) fn restore(chunks: &mut dyn Iterator<Item = Bytes>) -> Result<Machine, RestoreError> {
    Machine::restore(chunks)
}
