//! The older of Prometheus's two text formats, which etcd writes for whoever does not ask for OpenMetrics: people with curl, and
//! collectors that know no other.

use std::collections::BTreeSet;
use std::fmt::Write;

/// The same metrics in the older format: there a counter's family bears the `_total` of its samples, and nothing marks the end.
pub(super) fn classic(open: &str) -> String {
    let counters: BTreeSet<&str> =
        open.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut text = String::with_capacity(open.len() + 1024);
    for line in open.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let comment = line.strip_prefix("# ").and_then(|rest| rest.split_once(' '));
        let family = comment.and_then(|(kind, rest)| Some((kind, rest.split_once(' ')?)));
        let written = match family {
            Some((kind, (name, rest))) if counters.contains(name) => writeln!(text, "# {kind} {name}_total {rest}"),
            _ => writeln!(text, "{line}"),
        };
        written.expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_counters_have_another_name() {
        let open = "# HELP puts Puts.\n# TYPE puts counter\nputs_total{a=\"# EOF\"} 1\n# HELP size Size.\n# TYPE size gauge\nsize 2\n\
                    # EOF\n";
        let expected = "# HELP puts_total Puts.\n# TYPE puts_total counter\nputs_total{a=\"# EOF\"} 1\n# HELP size Size.\n\
                        # TYPE size gauge\nsize 2\n";
        assert_eq!(classic(open), expected);
    }
}
