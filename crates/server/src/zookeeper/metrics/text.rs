//! How values are written down.

use super::{Distribution, Gauge, Seen, Summary};
use std::fmt::{self, Write};

/// A value, as whoever lists them gets it.
pub(super) enum Value<'a> {
    /// Goes up and down.
    Gauge(Gauge),
    /// Only goes up.
    Counter(u64),
    /// Of many values.
    Summary(&'a Summary),
    /// Of many values, with quantiles.
    Distribution(&'a Distribution),
}

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)];

/// As `mntr` says it (Java: `AvgMinMaxCounter.values`, `AvgMinMaxPercentileCounter.values`).
pub(super) fn flatten(name: &str, value: Value<'_>, lines: &mut Vec<(String, Gauge)>) {
    match value {
        Value::Gauge(gauge) => lines.push((name.to_owned(), gauge)),
        Value::Counter(count) => lines.push((name.to_owned(), whole(count))),
        Value::Summary(summary) => {
            lines.push((format!("avg_{name}"), Gauge::Real(summary.mean())));
            lines.push((format!("min_{name}"), whole(summary.least())));
            lines.push((format!("max_{name}"), whole(summary.greatest())));
            lines.push((format!("cnt_{name}"), whole(summary.count())));
            lines.push((format!("sum_{name}"), whole(summary.sum())));
        }
        Value::Distribution(spread) => {
            flatten(name, Value::Summary(spread.summary()), lines);
            for (key, share) in QUANTILES {
                lines.push((format!("{key}_{name}"), whole(spread.quantile(share))));
            }
        }
    }
}

fn whole(value: u64) -> Gauge {
    Gauge::Whole(i64::try_from(value).unwrap_or(i64::MAX))
}

/// As Prometheus reads it. Counters keep ZooKeeper's names, which do not end in `_total`: its own provider writes them so, and dashboards
/// ask for them so.
pub(super) fn prometheus(seen: &Seen<'_>) -> String {
    let mut text = String::new();
    seen.each(&mut |name, value| match value {
        Value::Gauge(gauge) => put(&mut text, format_args!("# TYPE {name} gauge\n{name} {gauge}\n")),
        Value::Counter(count) => put(&mut text, format_args!("# TYPE {name} counter\n{name} {count}\n")),
        Value::Summary(summary) => {
            put(&mut text, format_args!("# TYPE {name} summary\n"));
            totals(&mut text, name, summary);
        }
        Value::Distribution(spread) => {
            put(&mut text, format_args!("# TYPE {name} summary\n"));
            for (_, share) in QUANTILES {
                put(&mut text, format_args!("{name}{{quantile=\"{share}\"}} {}\n", spread.quantile(share)));
            }
            totals(&mut text, name, spread.summary());
        }
    });
    text
}

fn totals(text: &mut String, name: &str, summary: &Summary) {
    put(text, format_args!("{name}_count {}\n{name}_sum {}\n", summary.count(), summary.sum()));
}

fn put(text: &mut String, line: fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a String takes everything");
}

/// As Java prints a long or a double.
impl fmt::Display for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gauge::Whole(value) => write!(f, "{value}"),
            Gauge::Real(value) => write!(f, "{value:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    #[test]
    fn a_monitor_reads_keys_and_values_as_it_is_used_to() {
        let (mut of_clients, mut of_member) = (Metrics::default(), Metrics::default());
        of_clients.readlatency.add(3);
        of_member.fsynctime.add(2);
        of_member.fsynctime.add(3);
        let gauges = vec![("znode_count", Gauge::Whole(5)), ("avg_latency", Gauge::Real(0.0))];
        let lines = Seen { gauges, of_clients: &of_clients, of_member: &of_member }.flat();
        let value = |key: &str| lines.iter().find(|(name, _)| name == key).map(|(_, value)| value.to_string());
        assert_eq!(value("znode_count").as_deref(), Some("5"));
        assert_eq!(value("avg_latency").as_deref(), Some("0.0"));
        assert_eq!(value("avg_fsynctime").as_deref(), Some("2.5"));
        assert_eq!(value("cnt_fsynctime").as_deref(), Some("2"));
        assert_eq!(value("p999_readlatency").as_deref(), Some("3"));
    }

    #[test]
    fn prometheus_finds_what_it_looks_for() {
        let mut of_clients = Metrics::default();
        of_clients.readlatency.add(1);
        let of_member = Metrics { commit_count: 7, ..Metrics::default() };
        let gauges = vec![("watch_count", Gauge::Whole(2))];
        let text = Seen { gauges, of_clients: &of_clients, of_member: &of_member }.prometheus();
        for line in [
            "# TYPE commit_count counter\ncommit_count 7\n",
            "watch_count 2\n",
            "readlatency{quantile=\"0.5\"} 1\n",
            "readlatency_sum 1\n",
        ] {
            assert!(text.contains(line), "{line}");
        }
    }
}
