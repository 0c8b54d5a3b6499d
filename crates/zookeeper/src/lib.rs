//! ZooKeeper's bytes: jute records, client requests and replies, election notifications, quorum packets, transactions.
//!
//! Quorate speaks to ZooKeeper's clients and stands beside ZooKeeper's servers, so every byte here is ZooKeeper's (3.9.3's, where
//! versions differ). Whoever has bytes from a client, a peer or the log comes here for what they mean; whoever has something to
//! say comes here for its bytes. No sockets and no files.
//!
//! | bytes | module | meaning |
//! |---|---|---|
//! | fields and records | [`jute`] | numbers, strings, lists |
//! | a client's requests, their replies, watch events; both sides | [`client`] | requests and answers of [`znodes`] |
//! | session ids and passwords | [`session`] | |
//! | four-letter words | [`words`] | |
//! | the election port | [`election`] | [`zab::Notification`] |
//! | the quorum port | [`quorum`] | [`zab::Packet`] |
//! | writes on their way to the leader | [`request`] | [`znodes::Request`] |
//! | transactions in the log | [`txn`] | [`znodes::Txn`] |
//! | the text that says who is a member | [`config`] | [`consensus::Configuration`] and addresses |
//!
//! Bytes from outside are parsed once, here, and what cannot be parsed is a [`Malformed`] that says where and what was expected.
//! Nothing here panics on what a peer, a client or a disk says, and nothing is allocated on the word of a length or count: memory
//! grows with bytes received.

#![forbid(unsafe_code)]

pub mod client;
pub mod config;
pub mod election;
pub mod jute;
mod malformed;
pub mod opcode;
mod operation;
pub mod quorum;
pub mod request;
pub mod session;
pub mod txn;
pub mod words;

pub use malformed::Malformed;
