//! What the ports may ask of the member behind them, whatever its disk.

use keyspace::{HashKv, KeyspaceError, MembersAnswer};
use std::future::Future;
use std::pin::Pin;

/// An answer that comes soon.
pub(crate) type Soon<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the peer port needs to know of the cluster, as far as it was applied here.
pub(crate) trait MembershipView: Send + Sync {
    /// Who is in it and who was removed; `None` if the member is stopping.
    fn members(&self) -> Soon<'_, Option<MembersAnswer>>;

    /// The same, as all agree on it now; `None` also if they do not get to it in time.
    fn agreed_members(&self) -> Soon<'_, Option<MembersAnswer>>;

    /// The version that all members speak, once it is agreed.
    fn cluster_version(&self) -> Soon<'_, Option<String>>;

    /// The checksum of the history here up to a revision; 0: now. `None` if the member is stopping or busy with others.
    fn hash_kv(&self, revision: i64) -> Soon<'_, Option<Result<HashKv, KeyspaceError>>>;
}
