//! What is compared with Go etcd.

use super::page::Page;
use super::{Better, Figure, Load};

const FIGURES: [Figure; 6] = [
    Figure { what: "requests a second", pointer: "/requests_per_second", better: Better::Higher },
    Figure { what: "p50, ms", pointer: "/latency_ms/p50", better: Better::Lower },
    Figure { what: "p99, ms", pointer: "/latency_ms/p99", better: Better::Lower },
    Figure { what: "servers' CPU a request, µs", pointer: "/server_cpu_us_per_request", better: Better::Lower },
    Figure { what: "largest server's memory, MB", pointer: "/server_memory", better: Better::Lower },
    // Beside the servers' own, this is what their throughput has to share the processors with.
    Figure { what: "load generator's CPU a request, µs", pointer: "/client_cpu_us_per_request", better: Better::Lower },
];

const EVENTS: [Figure; 4] = [
    Figure { what: "events a second", pointer: "/events/requests_per_second", better: Better::Higher },
    Figure { what: "p50 from put to watcher, ms", pointer: "/events/latency_ms/p50", better: Better::Lower },
    Figure { what: "p99 from put to watcher, ms", pointer: "/events/latency_ms/p99", better: Better::Lower },
    Figure { what: "servers' CPU an event, µs", pointer: "/events/server_cpu_us_per_request", better: Better::Lower },
];

const UNREAD: [Figure; 3] = [
    Figure { what: "p99 of a put without, ms", pointer: "/without/latency_ms/p99", better: Better::Lower },
    Figure { what: "p99 of a put beside, ms", pointer: "/beside/latency_ms/p99", better: Better::Lower },
    Figure { what: "largest server's memory, MB", pointer: "/beside/server_memory", better: Better::Lower },
];

const LEASES: [Figure; 5] = [
    Figure { what: "grants a second", pointer: "/grants/requests_per_second", better: Better::Higher },
    Figure { what: "servers' CPU a grant, µs", pointer: "/grants/server_cpu_us_per_request", better: Better::Lower },
    Figure { what: "keep-alives a second", pointer: "/keep_alives/requests_per_second", better: Better::Higher },
    Figure { what: "p99 of a keep-alive, ms", pointer: "/keep_alives/latency_ms/p99", better: Better::Lower },
    Figure { what: "servers' CPU a keep-alive, µs", pointer: "/keep_alives/server_cpu_us_per_request", better: Better::Lower },
];

const IDLE: [Figure; 4] = [
    Figure { what: "largest member's memory, MB", pointer: "/server_memory", better: Better::Lower },
    Figure { what: "all members' CPU, ms a second", pointer: "/server_cpu_ms_per_second", better: Better::Lower },
    Figure {
        what: "with 10,000 watchers: largest member's memory, MB",
        pointer: "/server_memory_watched",
        better: Better::Lower,
    },
    Figure { what: "a watcher's memory, all members together, bytes", pointer: "/bytes_per_watcher", better: Better::Lower },
];

const START: [Figure; 3] = [
    Figure { what: "killed before: serves after, s", pointer: "/starts/0/serves_s", better: Better::Lower },
    Figure { what: "stopped before: serves after, s", pointer: "/starts/1/serves_s", better: Better::Lower },
    Figure { what: "memory then, MB", pointer: "/server_memory", better: Better::Lower },
];

/// A client has one request under way. The puts of 100 clients come first, because the picture and the table say what is held after them.
const LOADS: [Load; 12] = [
    Load {
        title: "put, 100 clients, 100,000 keys",
        arguments: &["put", "--clients", "100", "--total", "100000"],
        figures: &FIGURES,
    },
    Load { title: "put, 1000 clients", arguments: &["put", "--clients", "1000", "--total", "200000"], figures: &FIGURES },
    Load { title: "put, one client", arguments: &["put", "--clients", "1", "--total", "10000"], figures: &FIGURES },
    Load {
        title: "linearizable range, 100 clients",
        arguments: &["range", "--clients", "100", "--total", "300000", "--keys", "10000"],
        figures: &FIGURES,
    },
    Load {
        title: "linearizable range, 1000 clients",
        arguments: &["range", "--clients", "1000", "--total", "300000", "--keys", "10000"],
        figures: &FIGURES,
    },
    Load {
        title: "linearizable range, one client",
        arguments: &["range", "--clients", "1", "--total", "10000", "--keys", "10000"],
        figures: &FIGURES,
    },
    Load {
        title: "compare-and-set transaction, 100 clients",
        arguments: &["txn", "--clients", "100", "--total", "100000"],
        figures: &FIGURES,
    },
    Load {
        title: "1000 watchers on 10 streams, ten of each key",
        arguments: &["watch", "--watchers", "1000", "--streams", "10", "--clients", "10", "--total", "20000"],
        figures: &EVENTS,
    },
    Load {
        title: "put, 100 clients, beside watchers that never read",
        arguments: &["watch", "--never-read", "--clients", "100", "--total", "160000", "--keys", "10000"],
        figures: &UNREAD,
    },
    Load { title: "leases, 100 clients", arguments: &["lease", "--leases", "20000", "--total", "200000"], figures: &LEASES },
    Load {
        title: "start of one member with 3,835,000 keys, 1 GiB",
        arguments: &["startup", "--keys", "3835000"],
        figures: &START,
    },
    Load { title: "idle", arguments: &["idle", "--watchers", "10000", "--streams", "100"], figures: &IDLE },
];

/// Where figures stand among them.
const CPU: usize = 3;
const MEMORY: usize = 4;

pub(super) const PAGE: Page = Page {
    name: "etcd",
    peer: "go",
    original: "Go 3.5.16",
    more: &[],
    loads: &LOADS,
    head: "# etcd members, measured\n\n\
        Go etcd 3.5.16 and Quorate, three members of each on loopback, in turn in one run, the load generator beside them;\n\
        values of 256 bytes; each client has one request under way, over a connection of its own or, where they are a thousand, over one\n\
        that ten share. `cargo xtask bench etcd` writes this page anew; `quorate bench etcd --help` runs one\n\
        load alone, also against members that run already (`--endpoints`).\n\n\
        ![CPU of the members and memory, Go and Quorate](bench-etcd.svg)\n",
    bars: &[
        (0, CPU, "µs of CPU a put"),
        (3, CPU, "µs of CPU a range"),
        (7, 3, "µs of CPU an event"),
        (11, 0, "MB of memory"),
        (0, MEMORY, "MB of memory afterwards"),
    ],
};
