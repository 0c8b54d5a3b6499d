//! Ports of loopback for members that tests start.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::TcpListener;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// Ports that were free a moment ago, no two of a process the same, and that no outgoing connection takes while a member is down:
/// below the range that Linux gives to those.
pub fn free_ports(count: usize) -> Vec<u16> {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    const COUNT: u16 = 22_000;
    // Where to begin is by chance: several processes look. Every hasher has another seed.
    let begin = || AtomicU16::new((RandomState::new().hash_one(()) % u64::from(COUNT)) as u16);
    let next = NEXT.get_or_init(begin);
    let free = |&port: &u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    std::iter::repeat_with(|| 10_000 + next.fetch_add(1, Ordering::Relaxed) % COUNT).filter(free).take(count).collect()
}
