//! ZooKeeper's bytes: jute records, client requests and replies, election notifications, quorum packets, transactions.
//!
//! No sockets and no files: whoever has those hands over bytes and is handed bytes.

#![forbid(unsafe_code)]
