//! etcd's state machine: revisions, ranges and transactions, without IO
