//! What is known about a node beside its data.

/// A node's numbers, as clients see them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stat {
    /// The transaction that created it.
    pub czxid: i64,
    /// The transaction that last set its data.
    pub mzxid: i64,
    /// When it was created, in milliseconds since 1970, by the leader's clock.
    pub ctime: i64,
    /// When its data was last set, likewise.
    pub mtime: i64,
    /// How often its data was set.
    pub version: i32,
    /// How often its children changed. On the node itself this counts creations only; clients see twice that number less the
    /// children that there are (Java: `DataNode.copyStat`).
    pub cversion: i32,
    /// How often its access list was set.
    pub aversion: i32,
    /// 0: persistent. Otherwise the session that owns it, or a mark for containers and nodes with a time to live.
    pub ephemeral_owner: i64,
    /// Bytes of data.
    pub data_length: i32,
    /// Children.
    pub num_children: i32,
    /// The transaction that last created or deleted a child.
    pub pzxid: i64,
}
