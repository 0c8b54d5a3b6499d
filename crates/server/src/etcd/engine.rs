//! The pure parts of which an etcd member is made.

use std::convert::Infallible;

/// The protocol.
pub(crate) type Protocol = raft::Raft;
/// The state machine, over the member's data file.
pub(crate) type Machine<D> = storage::Machine<D>;
/// Between the machine's commands and the log's bytes.
pub(crate) type Codec<D> = super::codec::EtcdCodec<D>;
/// One member.
pub(crate) type Replica<D> = replica::Replica<Protocol, Machine<D>, Codec<D>>;
/// What it is told.
pub(crate) type Event<D> = replica::Event<raft::Message, Machine<D>, keyspace::Command, keyspace::Query>;
/// What it asks for.
pub(crate) type Effect = replica::Effect<raft::Message, raft::Decision, keyspace::Response, Infallible>;
