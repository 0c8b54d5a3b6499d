//! What was wrong with bytes that somebody sent.

use consensus::Position;
use thiserror::Error;

/// Bytes that are not what they should be. Never fatal by itself: the sender's connection is closed, its request refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Malformed {
    /// Not the protobuf message that belongs there.
    #[error("not a {what}: {source}")]
    Protobuf {
        /// The message's name in etcd's files.
        what: &'static str,
        /// What the decoder says.
        source: prost::DecodeError,
    },

    /// Not the JSON that belongs there.
    #[error("not the JSON of {what}: {why}")]
    Json {
        /// What should have been there.
        what: &'static str,
        /// What the parser says.
        why: String,
    },

    /// A length beyond what any sound sender announces.
    #[error("{what}: {length} {unit}; at most {limit} are taken")]
    TooLong {
        /// What has this length.
        what: &'static str,
        /// What is counted.
        unit: &'static str,
        /// How many were announced.
        length: u64,
        /// How many are taken.
        limit: u64,
    },

    /// The first byte of a frame of the msgapp stream is none of 0, 1 and 2.
    #[error("frame of type {0} in a msgapp stream, which has types 0, 1 and 2")]
    FrameType(u8),

    /// Something else than an append in a msgapp stream.
    #[error("no append in a msgapp stream, which carries nothing else")]
    NotAnAppend,

    /// Entries that do not follow each other.
    #[error("entry {found} where one after {before} belongs")]
    Gap {
        /// What came before it.
        before: Position,
        /// What came.
        found: Position,
    },

    /// An entry from a term that its sender had not reached.
    #[error("entry {found} in a message of term {term}")]
    FromTheFuture {
        /// The entry.
        found: Position,
        /// The term of the message.
        term: u64,
    },

    /// An entry that is neither a command nor a simple change of membership. (Go etcd stops when it meets one.)
    #[error("entry {position} of type {kind}; known are 0 (normal) and 1 (ConfChange)")]
    EntryType {
        /// Where.
        position: Position,
        /// raftpb.EntryType.
        kind: u32,
    },

    /// A change of the configuration in two steps, which etcd never makes.
    #[error("joint configuration in a snapshot")]
    JointConfiguration,

    /// A message lacks what its type must have.
    #[error("message of type {kind} without {what}")]
    Lacks {
        /// raftpb.MessageType.
        kind: u32,
        /// What it lacks.
        what: &'static str,
    },

    /// A change of the members of an unknown sort.
    #[error("ConfChange of type {0}; known are 0 to 3")]
    ConfChangeType(u32),

    /// A change of the members that names two.
    #[error("ConfChange of member {node:x} whose context is about {context:x}")]
    OtherMember {
        /// The one in `node_id`.
        node: u64,
        /// The one in the context.
        context: u64,
    },

    /// A command that changes what we do not keep.
    #[error("{0}: not supported, and members would differ if it were passed over")]
    Unsupported(String),

    /// A request of the log that says nothing we know: a newer etcd's, perhaps.
    #[error("a request of an unknown kind")]
    UnknownRequest,
}
