//! etcd's bytes: requests, answers, peer messages and log entries, without sockets.

pub mod pb;
