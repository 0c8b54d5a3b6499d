//! What is compared with Java ZooKeeper.

use super::page::Page;
use super::{Better, Figure, Load};

const FIGURES: [Figure; 5] = [
    Figure { what: "requests a second", pointer: "/requests_per_second", better: Better::Higher },
    Figure { what: "p50, ms", pointer: "/latency_ms/p50", better: Better::Lower },
    Figure { what: "p99, ms", pointer: "/latency_ms/p99", better: Better::Lower },
    Figure { what: "servers' CPU a request, µs", pointer: "/server_cpu_us_per_request", better: Better::Lower },
    Figure { what: "largest server's memory, MB", pointer: "/server_memory", better: Better::Lower },
];

/// 100 clients with ten requests under way each, as ZooKeeper's own figures are usually made; then one client alone.
const LOADS: [Load; 4] = [
    Load {
        title: "setData, 100 clients",
        arguments: &["set", "--connections", "100", "--window", "10", "--total", "500000"],
        figures: &FIGURES,
    },
    Load {
        title: "getData, 100 clients",
        arguments: &["get", "--connections", "100", "--window", "10", "--total", "1500000"],
        figures: &FIGURES,
    },
    Load {
        title: "setData, one client",
        arguments: &["set", "--connections", "1", "--window", "1", "--total", "20000"],
        figures: &FIGURES,
    },
    Load {
        title: "create, 320,000 nodes",
        arguments: &["create", "--connections", "100", "--window", "10", "--total", "320000"],
        figures: &FIGURES,
    },
];

/// Where figures stand among them.
const CPU: usize = 3;
const MEMORY: usize = 4;
const CPU_UNIT: &str = "µs of CPU a request";

pub(super) const PAGE: Page = Page {
    name: "zookeeper",
    peer: "java",
    original: "Java 3.9.3",
    more: &["--keep"],
    loads: &LOADS,
    head: "# ZooKeeper servers, measured\n\n\
        Java ZooKeeper 3.9.3 and Quorate, three servers of each on loopback, in turn in one run, the load generator beside\n\
        them; nodes of 256 bytes. `cargo xtask bench` writes this page anew; `quorate bench zookeeper --help` runs one load alone.\n\n\
        ![CPU of the servers and memory, Java and Quorate](bench-zookeeper.svg)\n",
    bars: &[(0, CPU, CPU_UNIT), (1, CPU, CPU_UNIT), (2, CPU, CPU_UNIT), (3, CPU, CPU_UNIT), (3, MEMORY, "MB of memory")],
};
