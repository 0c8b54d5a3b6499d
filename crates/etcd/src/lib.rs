//! etcd's bytes: requests, answers, peer messages and log entries, without sockets.

pub mod bootstrap;
pub mod conf_change;
pub mod json;
mod malformed;
pub mod pb;
pub mod peer;
pub mod url;
pub mod version;
pub use malformed::Malformed;
