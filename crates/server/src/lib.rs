//! The only crate with sockets, threads and a clock.
//!
//! [`etcd`] runs one member of an etcd cluster: it gives the pure replica its time, its disk, its peers and its clients.

#![forbid(unsafe_code)]

pub mod etcd;
