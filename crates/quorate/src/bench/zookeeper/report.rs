//! What was measured, for people and for programs.

use crate::bench::usage::Usage;
use crate::cli::{ZooKeeperBench, ZooKeeperLoad};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// What a load came to.
pub(super) struct Measured {
    /// From the first request to the last answer.
    pub(super) elapsed: Duration,
    /// How long requests took, in nanoseconds.
    pub(super) latency: Histogram<u64>,
    /// Requests that were answered with an error.
    pub(super) failed: u64,
    /// What the servers on this machine cost meanwhile.
    pub(super) servers: Vec<Cost>,
    /// What this process cost meanwhile.
    pub(super) client_cpu: Duration,
}

/// What a server on this machine cost.
pub(super) struct Cost {
    pub(super) address: String,
    pub(super) cpu: Duration,
    /// What it held afterwards, in bytes.
    pub(super) memory: u64,
}

impl Cost {
    pub(super) fn between(address: String, before: Usage, after: Usage) -> Cost {
        Cost { address, cpu: after.cpu.saturating_sub(before.cpu), memory: after.memory }
    }
}

impl Measured {
    fn requests(&self) -> u64 {
        self.latency.len()
    }

    fn throughput(&self) -> f64 {
        self.requests() as f64 / self.elapsed.as_secs_f64()
    }

    fn cpu_per_request(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1e6 / self.requests().max(1) as f64
    }

    fn server_cpu(&self) -> Option<Duration> {
        (!self.servers.is_empty()).then(|| self.servers.iter().map(|cost| cost.cpu).sum())
    }

    fn quantile(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e6
    }

    pub(super) fn text(&self, options: &ZooKeeperBench) -> String {
        let mut text = format!(
            "{} x {}: {} connections with {} requests under way each, {} bytes a node\n\n",
            self.requests(),
            name(options.load),
            options.connections,
            options.window,
            options.value_size
        );
        let mut line = |what: &str, value: String| writeln!(text, "{what:32}{value:>12}").expect("a string takes everything");
        line("requests a second", format!("{:.0}", self.throughput()));
        for (what, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("longest", 1.0)] {
            line(&format!("{what}, milliseconds"), format!("{:.2}", self.quantile(quantile)));
        }
        if let Some(cpu) = self.server_cpu() {
            line("servers' CPU a request, us", format!("{:.1}", self.cpu_per_request(cpu)));
        }
        line("load generator's CPU, us", format!("{:.1}", self.cpu_per_request(self.client_cpu)));
        for cost in &self.servers {
            line(&format!("memory of {}, MB", cost.address), format!("{:.0}", cost.memory as f64 / 1e6));
        }
        if self.failed > 0 {
            line("answered with an error", self.failed.to_string());
        }
        text
    }

    pub(super) fn json(&self, options: &ZooKeeperBench) -> String {
        let memory: Vec<Value> = self.servers.iter().map(|cost| json!({"server": cost.address, "bytes": cost.memory})).collect();
        let object = json!({
            "load": name(options.load),
            "requests": self.requests(),
            "connections": options.connections,
            "window": options.window,
            "value_size": options.value_size,
            "seconds": self.elapsed.as_secs_f64(),
            "requests_per_second": self.throughput(),
            "latency_ms": {
                "p50": self.quantile(0.5),
                "p99": self.quantile(0.99),
                "p99.9": self.quantile(0.999),
                "max": self.quantile(1.0),
            },
            "server_cpu_us_per_request": self.server_cpu().map(|cpu| self.cpu_per_request(cpu)),
            "client_cpu_us_per_request": self.cpu_per_request(self.client_cpu),
            "server_memory": memory,
            "failed": self.failed,
        });
        format!("{object}\n")
    }
}

/// As on the command line.
pub(super) fn name(load: ZooKeeperLoad) -> &'static str {
    match load {
        ZooKeeperLoad::Get => "get",
        ZooKeeperLoad::Set => "set",
        ZooKeeperLoad::Create => "create",
        ZooKeeperLoad::Mixed => "mixed",
    }
}
