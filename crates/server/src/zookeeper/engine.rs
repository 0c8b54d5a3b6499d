//! The pure parts of which a ZooKeeper server is made.

/// The protocol.
pub(crate) type Protocol = zab::Zab;
/// The state machine.
pub(crate) type Tree = znodes::Tree;
/// Between the machine's transactions and the log's bytes.
pub(crate) type Codec = super::codec::ZooKeeperCodec;
/// One member.
pub(crate) type Replica = replica::Replica<Protocol, Tree, Codec>;
/// What it is told.
pub(crate) type Event = replica::Event<zab::Message, Tree, znodes::Request, znodes::Query>;
/// What it asks for.
pub(crate) type Effect = replica::Effect<zab::Message, zab::Decision, znodes::Response, znodes::Event>;
