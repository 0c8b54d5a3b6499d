//! etcd's bytes: requests, answers, peer messages and log entries, without sockets.
//!
//! Quorate speaks to etcd's clients and stands beside etcd's servers, so every byte here is etcd's (3.5.16's, where versions
//! differ), and what 3.6 and 3.7 say is understood, too. Whoever has bytes from a client, a peer or the log comes here for what
//! they mean; whoever has something to say comes here for its bytes.
//!
//! | bytes | module | meaning |
//! |---|---|---|
//! | gRPC messages and services | [`pb`] (generated from `proto/`) | as they are |
//! | a client's KV requests, their answers | [`kv`] | requests and answers of [`keyspace`] |
//! | errors | [`error`] | 62 texts and their gRPC codes |
//! | JSON over HTTP | [`json`], [`health`] | members, versions, health |
//! | messages between members | [`peer`] | [`raft::Message`] |
//! | entries of the log | [`codec`], [`conf_change`] | [`keyspace::Command`] |
//! | flags that name members | [`url`], [`bootstrap`] | ids, and the log that a cluster begins with |
//! | ids of requests and leases | [`request_id`] | |
//!
//! Bytes from outside are parsed once, here, and what cannot be parsed is a [`Malformed`] that says what was wrong. Nothing here
//! panics on what a peer or a client sent, and nothing is allocated on the word of a length: memory grows with bytes received.
//!
//! The services of `proto/` are generated with the feature `grpc` only.

#![forbid(unsafe_code)]

pub mod bootstrap;
pub mod buckets;
pub mod codec;
pub mod conf_change;
pub mod error;
pub mod health;
pub mod json;
pub mod kv;
mod malformed;
mod membership;
pub mod pb;
pub mod peer;
pub mod request_id;
pub mod url;
mod v2;
pub mod version;
pub mod watch;

pub use malformed::Malformed;
