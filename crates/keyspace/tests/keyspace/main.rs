//! What etcd's clients can see of the keyspace, and what its members must agree on.

mod check;
mod clocks;
mod compaction;
mod hashes;
mod kit;
mod leases;
mod members;
mod model;
mod random;
mod ranges;
mod rows;
mod snapshots;
mod txns;
mod watch_rules;
mod watches;
mod writes;
