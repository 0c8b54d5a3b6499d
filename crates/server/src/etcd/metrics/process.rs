//! What the operating system says of this process, under the names of Prometheus's own clients, and of etcd's `os_fd_*`. Read when
//! somebody looks; a part that cannot be read is absent.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use std::fmt;
use std::fs::{read_dir, read_to_string};

/// This process.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        if let Some(stat) = Stat::read() {
            let cpu = ConstCounter::new(stat.cpu_seconds);
            let help = "Processor time spent, in user and system mode";
            cpu.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?)?;
            gauge(&mut encoder, "process_resident_memory_bytes", "Memory in use", stat.resident_bytes)?;
            gauge(&mut encoder, "process_virtual_memory_bytes", "Memory mapped", stat.virtual_bytes)?;
            if let Some(started) = stat.started {
                gauge(&mut encoder, "process_start_time_seconds", "When the process started, since 1970", started)?;
            }
        }
        if let Ok(open) = read_dir("/proc/self/fd") {
            let open = open.count() as f64;
            gauge(&mut encoder, "process_open_fds", "Open file descriptors", open)?;
            gauge(&mut encoder, "os_fd_used", "Open file descriptors", open)?;
        }
        if let Some(most) = getrlimit(Resource::Nofile).current {
            gauge(&mut encoder, "process_max_fds", "File descriptors that may be open", most as f64)?;
            gauge(&mut encoder, "os_fd_limit", "File descriptors that may be open", most as f64)?;
        }
        Ok(())
    }
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> Result<(), fmt::Error> {
    ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

/// Of `/proc/self/stat`.
#[derive(Debug)]
struct Stat {
    cpu_seconds: f64,
    virtual_bytes: f64,
    resident_bytes: f64,
    /// Since 1970.
    started: Option<f64>,
}

impl Stat {
    fn read() -> Option<Stat> {
        let stat = read_to_string("/proc/self/stat").ok()?;
        let boot = read_to_string("/proc/stat").ok().and_then(|stat| boot_time(&stat));
        Stat::parse(&stat, boot)
    }

    /// See proc(5): the second field is the program's name in brackets, which may hold anything, so fields are counted behind it.
    fn parse(stat: &str, boot: Option<f64>) -> Option<Stat> {
        let (_, behind) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = behind.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        let second = clock_ticks_per_second() as f64;
        Some(Stat {
            cpu_seconds: (field(14)? + field(15)?) / second,
            started: boot.zip(field(22)).map(|(boot, ticks)| boot + ticks / second),
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * page_size() as f64,
        })
    }
}

/// When the machine was started, since 1970.
fn boot_time(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let stat = "4711 (a) b (c) S 1 4711 4711 0 -1 4194304 2000 0 0 0 250 50 0 0 20 0 3 0 12345 104857600 2560 184467";
        let stat = Stat::parse(stat, boot_time("cpu 1 2 3\nbtime 1000000\n")).expect("it is well-formed");
        let second = clock_ticks_per_second() as f64;
        assert_eq!(stat.cpu_seconds, 300.0 / second);
        assert_eq!(stat.started, Some(1_000_000.0 + 12345.0 / second));
        assert_eq!((stat.virtual_bytes, stat.resident_bytes), (104_857_600.0, 2560.0 * page_size() as f64));
        assert!(Stat::parse("4711 (short) S 1", None).is_none());
    }

    #[test]
    fn this_process_can_be_read() {
        let stat = Stat::read().expect("this is Linux");
        assert!(stat.resident_bytes > 0.0 && stat.virtual_bytes > stat.resident_bytes);
        assert!(stat.started.is_some_and(|at| at > 1.6e9), "{stat:?}");
    }
}
