//! One binary that replaces etcd.
fn main() {}
