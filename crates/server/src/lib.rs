//! The only crate with sockets, threads and a clock.
//!
//! [`etcd`] runs one member of an etcd cluster, [`zookeeper`] one server of a ZooKeeper ensemble: each gives the pure replica its time,
//! its disk, its peers and its clients.

#![forbid(unsafe_code)]

mod clock;

pub mod etcd;
pub mod zookeeper;
