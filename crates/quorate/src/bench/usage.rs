//! What a process has cost so far, as the kernel tells (`/proc`).

use crate::processes::listener;
use std::fs;
use std::time::Duration;

/// What a process has cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Usage {
    /// Time on a processor, of all its threads, in user and kernel mode.
    pub(super) cpu: Duration,
    /// Memory that it holds now, in bytes.
    pub(super) memory: u64,
    /// The most that it ever held.
    pub(super) peak: u64,
}

impl Usage {
    /// Of a process of this machine. `None` if there is no such process, or no `/proc`.
    pub(super) fn of(pid: u32) -> Option<Usage> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let ticks = rustix::param::clock_ticks_per_second();
        Some(Usage { cpu: cpu(&stat, ticks)?, memory: memory(&status, "VmRSS:")?, peak: memory(&status, "VmHWM:")? })
    }
}

/// The processes behind addresses such as "127.0.0.1:2379" or "http://localhost:2379", as far as they are of this machine.
pub(super) fn processes(addresses: &[String]) -> Vec<(String, u32)> {
    addresses.iter().filter_map(|address| Some((address.clone(), process(address)?))).collect()
}

fn process(address: &str) -> Option<u32> {
    let (host, port) = address.trim_start_matches("http://").rsplit_once(':')?;
    let local = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
    local.then(|| listener(port.parse().ok()?)).flatten()
}

/// utime and stime of a line like `/proc/1/stat` (proc_pid_stat(5)); the name in it may hold blanks and brackets.
fn cpu(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + kernel) * 1000 / ticks_per_second.max(1)))
}

/// A line such as VmRSS of `/proc/1/status`.
fn memory(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_counted_whatever_its_name() {
        let line = "42 (a) b (c) S 1 1 1 0 -1 4194560 1 2 3 4 150 50 7 8 20 0 1 0 1 1 1";
        assert_eq!(cpu(line, 100), Some(Duration::from_secs(2)));
        assert_eq!(memory("Name:\tx\nVmRSS:\t    1024 kB\n", "VmRSS:"), Some(1 << 20));
        assert!(Usage::of(std::process::id()).is_some_and(|usage| usage.memory > 0));
        assert_eq!(Usage::of(u32::MAX), None);
    }

    #[test]
    fn a_server_is_found_by_where_it_listens() {
        let here = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, _listener) = here.expect("a free port");
        let addresses = [format!("http://{address}"), "192.0.2.1:2379".to_owned()];
        assert_eq!(processes(&addresses), [(format!("http://{address}"), std::process::id())]);
    }
}
