//! Ports of loopback: which are free, and who holds one that is not.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

/// Whether a member could listen on this port.
fn is_free(port: u16) -> bool {
    !matches!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)), Err(error) if error.kind() == io::ErrorKind::AddrInUse)
}

/// Whether a member can listen on this port within a moment: a cluster that was just killed takes a little to be gone.
pub(crate) fn becomes_free(port: u16) -> bool {
    const MOMENT: Duration = Duration::from_secs(1);
    let begin = Instant::now();
    loop {
        if is_free(port) {
            return true;
        }
        if begin.elapsed() > MOMENT {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Ports that nobody listens on now, all different, and below those that Linux gives to connections as they leave: a member that is
/// killed and started again would not get one of them back while such a connection has it.
pub(crate) fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 22_000;
    // Two processes that look at the same time begin at different ones: every hasher has another seed.
    let begin = RandomState::new().hash_one(()) % u64::from(COUNT);
    let ports = (FIRST..FIRST + COUNT).cycle().skip(begin as usize).take(COUNT.into());
    let ports: Vec<u16> = ports.filter(|&port| is_free(port)).take(count).collect();
    if ports.len() < count { Err(io::ErrorKind::AddrInUse.into()) } else { Ok(ports) }
}

/// Who listens on a port: "etcd (pid 4711)", as far as this user may see it.
pub(crate) fn holder(port: u16) -> String {
    match listening_process(port) {
        Some((pid, name)) => format!("{name} (pid {pid})"),
        // Or nobody listens: connections leave from ports of their own, and one of them left from this one.
        None => "a process of another user, or by a connection that left from it".to_owned(),
    }
}

/// The process that listens on a port, as far as this user may see it.
pub(crate) fn listener(port: u16) -> Option<u32> {
    listening_process(port).map(|(pid, _)| pid)
}

fn listening_process(port: u16) -> Option<(u32, String)> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .collect();
    inodes.iter().find_map(|inode| process_of(inode))
}

/// The sockets of a table like /proc/net/tcp that listen on `port`.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let listens = u16::from_str_radix(local, 16).ok()? == port && fields.get(3) == Some(&LISTEN);
        listens.then(|| fields.get(9).map(|inode| (*inode).to_owned())).flatten()
    };
    table.lines().skip(1).filter_map(inode).collect()
}

/// The process that has a socket open.
fn process_of(inode: &str) -> Option<(u32, String)> {
    let wanted = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if has_open(&process.path(), &wanted) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some((pid, name.trim().to_owned()));
        }
    }
    None
}

fn has_open(process: &Path, wanted: &str) -> bool {
    let Ok(files) = fs::read_dir(process.join("fd")) else { return false };
    files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_port_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        assert!(!is_free(port));
        assert!(holder(port).ends_with(&format!("(pid {})", std::process::id())), "{}", holder(port));
        drop(listener);
        assert!(is_free(port));
    }

    #[test]
    fn only_listeners_of_that_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                     0: 0100007F:094B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1\n\
                     1: 0100007F:094B 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 222 1\n\
                     2: 0100007F:094C 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1\n";
        assert_eq!(listening_inodes(table, 2379), ["111"]);
    }

    #[test]
    fn free_ports_are_all_different() {
        let mut ports = free_ports(8).expect("there are free ports");
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 8);
    }
}
