//! Whose socket it is: the kernel knows which process dialled.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

/// Which of `pids` holds the socket on loopback from `local` to `remote`.
pub fn owner(local: u16, remote: u16, pids: &[AtomicU32]) -> Option<usize> {
    let socket = format!("socket:[{}]", inode(local, remote)?);
    pids.iter().position(|pid| {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", pid.load(Ordering::SeqCst))).into_iter().flatten().flatten();
        descriptors
            .into_iter()
            .any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|link| link.to_string_lossy() == socket))
    })
}

/// The socket's number in /proc/net/tcp: `sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode`.
fn inode(local: u16, remote: u16) -> Option<String> {
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux");
    let (local, remote) = (format!("0100007F:{local:04X}"), format!("0100007F:{remote:04X}"));
    table.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        (words.next()? == local && words.next()? == remote).then(|| words.nth(6).map(str::to_owned)).flatten()
    })
}
