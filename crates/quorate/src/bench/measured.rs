//! What a load came to, and what it cost meanwhile, for people and for programs.

use super::usage::Usage;
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Requests that take longer are counted as so long.
pub(super) const LONGEST: u64 = 600_000_000_000;

/// How long requests took, in nanoseconds, and how many failed.
#[derive(Clone)]
pub(super) struct Counts {
    pub(super) latency: Histogram<u64>,
    pub(super) failed: u64,
    /// What the first that failed was told.
    pub(super) failure: Option<String>,
}

impl Counts {
    pub(super) fn new() -> Counts {
        let latency = Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are in order");
        Counts { latency, failed: 0, failure: None }
    }

    pub(super) fn took(&mut self, span: Duration) {
        self.latency.saturating_record(u64::try_from(span.as_nanos()).unwrap_or(LONGEST));
    }

    pub(super) fn failed(&mut self, why: &str) {
        self.failed += 1;
        self.failure.get_or_insert_with(|| why.to_owned());
    }

    /// Takes in what others have counted.
    pub(super) fn add(&mut self, other: &Counts) {
        self.latency.add(&other.latency).expect("both have the same bounds");
        self.failed += other.failed;
        self.failure = self.failure.take().or_else(|| other.failure.clone());
    }
}

/// Looks at what servers of this machine, and this process, have cost since it was made.
pub(super) struct Meter<'a> {
    servers: &'a [(String, u32)],
    before: Vec<Usage>,
    own: Usage,
    started: Instant,
}

impl<'a> Meter<'a> {
    /// Of the servers with these addresses and process ids.
    pub(super) fn start(servers: &'a [(String, u32)]) -> Meter<'a> {
        Meter { servers, before: usage(servers), own: own(), started: Instant::now() }
    }

    pub(super) fn stop(self, counts: Counts) -> Measured {
        let (elapsed, own_after, after) = (self.started.elapsed(), own(), usage(self.servers));
        let costs = self.servers.iter().zip(self.before.into_iter().zip(after));
        let cost = |((address, _), (before, after)): (&(String, u32), (Usage, Usage))| Cost {
            address: address.clone(),
            cpu: after.cpu.saturating_sub(before.cpu),
            memory: after.memory,
        };
        Measured { elapsed, counts, servers: costs.map(cost).collect(), client_cpu: own_after.cpu.saturating_sub(self.own.cpu) }
    }
}

fn usage(servers: &[(String, u32)]) -> Vec<Usage> {
    servers.iter().map(|(_, pid)| Usage::of(*pid).unwrap_or_default()).collect()
}

fn own() -> Usage {
    Usage::of(std::process::id()).unwrap_or_default()
}

/// What a server on this machine cost.
pub(super) struct Cost {
    pub(super) address: String,
    pub(super) cpu: Duration,
    /// What it held afterwards, in bytes.
    pub(super) memory: u64,
}

/// What a load came to.
pub(super) struct Measured {
    /// From the first request to the last answer.
    pub(super) elapsed: Duration,
    pub(super) counts: Counts,
    pub(super) servers: Vec<Cost>,
    /// What this process cost meanwhile.
    client_cpu: Duration,
}

impl Measured {
    /// Two loads of the same servers, one after the other, as one; memory is the later one's.
    pub(super) fn and(mut self, later: Measured) -> Measured {
        self.counts.add(&later.counts);
        for (cost, other) in self.servers.iter_mut().zip(later.servers) {
            *cost = Cost { address: other.address, cpu: cost.cpu + other.cpu, memory: other.memory };
        }
        Measured { elapsed: self.elapsed + later.elapsed, client_cpu: self.client_cpu + later.client_cpu, ..self }
    }

    pub(super) fn requests(&self) -> u64 {
        self.counts.latency.len()
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

    /// In milliseconds.
    pub(super) fn quantile(&self, quantile: f64) -> f64 {
        self.counts.latency.value_at_quantile(quantile) as f64 / 1e6
    }

    /// A line each. `what` is one of them, and `many` several: "request", "requests".
    pub(super) fn text(&self, what: &str, many: &str) -> String {
        let mut text = String::new();
        line(&mut text, &format!("{many} a second"), format!("{:.0}", self.throughput()));
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("longest", 1.0)] {
            line(&mut text, &format!("{name}, milliseconds"), format!("{:.2}", self.quantile(quantile)));
        }
        if let Some(cpu) = self.server_cpu() {
            line(&mut text, &format!("servers' CPU {} {what}, us", article(what)), format!("{:.1}", self.cpu_per_request(cpu)));
        }
        line(&mut text, "load generator's CPU, us", format!("{:.1}", self.cpu_per_request(self.client_cpu)));
        for cost in &self.servers {
            line(&mut text, &format!("memory of {}, MB", cost.address), format!("{:.1}", cost.memory as f64 / 1e6));
        }
        if self.counts.failed > 0 {
            line(&mut text, "failed", self.counts.failed.to_string());
        }
        if let Some(why) = &self.counts.failure {
            writeln!(text, "the first failure: {why}").expect("a string takes everything");
        }
        text
    }

    pub(super) fn json(&self) -> Map<String, Value> {
        let memory: Vec<Value> = self.servers.iter().map(|cost| json!({"server": cost.address, "bytes": cost.memory})).collect();
        let object = json!({
            "requests": self.requests(),
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
            "failed": self.counts.failed,
        });
        let Value::Object(object) = object else { unreachable!("it is one") };
        object
    }
}

/// What was measured, and its figure.
pub(super) fn line(text: &mut String, what: &str, value: String) {
    writeln!(text, "{what:40}{value:>12}").expect("a string takes everything");
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_told_in_words_and_in_json() {
        let mut counts = Counts::new();
        (1..=1000).for_each(|n| counts.took(Duration::from_micros(n * 10)));
        counts.failed("no leader");
        counts.failed("too many requests");
        let cost = |address: &str, memory| Cost { address: address.to_owned(), cpu: Duration::from_millis(50), memory };
        let measured = Measured {
            elapsed: Duration::from_secs(2),
            counts,
            servers: vec![cost("a:1", 20_000_000), cost("b:1", 30_000_000)],
            client_cpu: Duration::from_millis(20),
        };
        let text = measured.text("event", "events");
        for told in
            ["events a second                                  500\n", "servers' CPU an event, us                      100.0\n"]
        {
            assert!(text.contains(told), "{text}");
        }
        assert!(
            text.contains("the first failure: no leader\n")
                && text.contains("failed                                             2\n"),
            "{text}"
        );
        let object = Value::Object(measured.json());
        assert_eq!((&object["requests_per_second"], &object["client_cpu_us_per_request"]), (&json!(500.0), &json!(20.0)));
        assert!((object["latency_ms"]["p50"].as_f64().expect("a number") - 5.0).abs() < 0.1, "{object}");
        assert_eq!(object["server_memory"][1], json!({"server": "b:1", "bytes": 30_000_000}));
    }
}
