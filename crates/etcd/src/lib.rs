//! etcd's bytes: requests, answers, peer messages and log entries, without sockets.

pub mod bootstrap;
pub mod codec;
pub mod conf_change;
pub mod error;
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
pub use malformed::Malformed;
