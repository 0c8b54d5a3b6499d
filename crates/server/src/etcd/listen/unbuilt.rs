//! Services of which nothing is built yet: every method answers Unimplemented, with a sentence (see the etcd crate's build
//! script). COMPATIBILITY.md lists them.

use etcd::pb::etcdserverpb::auth_server::Auth;
use etcd::pb::etcdserverpb::lease_server::Lease;
use etcd::pb::etcdserverpb::watch_server::Watch;
use etcd::pb::v3electionpb::election_server::Election;
use etcd::pb::v3lockpb::lock_server::Lock;

/// Watches, leases, users and roles, locks and elections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unbuilt;

impl Watch for Unbuilt {}
impl Lease for Unbuilt {}
impl Auth for Unbuilt {}
impl Lock for Unbuilt {}
impl Election for Unbuilt {}
