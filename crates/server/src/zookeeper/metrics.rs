//! What a server counts, under the names that ZooKeeper gives it: the source of `mntr`, of the AdminServer's `monitor`, and of what
//! Prometheus reads.
//!
//! ZooKeeper has some five hundred values, most of which tell of its own queues and threads. Here are those that mean something in this
//! server, each with ZooKeeper's meaning. Nothing is shared between threads, so all are plain numbers.

mod summary;
mod tally;
mod text;

pub(crate) use summary::{Distribution, Sizes, Summary};
pub(crate) use tally::Tally;
use text::Value;

/// Declares the numbers once: as fields, and by name for whoever lists them.
macro_rules! numbers {
    (
        counters { $($(#[$counter_doc:meta])* $counter:ident,)* }
        summaries { $($(#[$summary_doc:meta])* $summary:ident,)* }
        distributions { $($(#[$distribution_doc:meta])* $distribution:ident,)* }
    ) => {
        /// What this server has counted since it started, or since `srst`.
        #[derive(Default)]
        pub(crate) struct Metrics {
            $($(#[$counter_doc])* pub(crate) $counter: u64,)*
            $($(#[$summary_doc])* pub(crate) $summary: Summary,)*
            $($(#[$distribution_doc])* pub(crate) $distribution: Distribution,)*
            /// Bytes of this leader's proposals.
            pub(crate) proposal_sizes: Sizes,
        }

        impl Metrics {
            /// Tells `sink` each value by its name. Each is counted either here or by `other`.
            fn each_kept<'a>(&'a self, other: &'a Metrics, sink: &mut dyn FnMut(&'static str, Value<'a>)) {
                $(sink(stringify!($counter), Value::Counter(self.$counter + other.$counter));)*
                $(sink(stringify!($summary), Value::Summary(self.$summary.or(&other.$summary)));)*
                $(sink(stringify!($distribution), Value::Distribution(self.$distribution.or(&other.$distribution)));)*
            }
        }
    };
}

numbers! {
    counters {
        /// Bytes that clients sent.
        bytes_received_count,
        /// Bytes of replies.
        response_bytes,
        /// Bytes of watch events.
        watch_bytes,
        /// Clients that asked for a session, new or old.
        connection_request_count,
        /// Clients that came with a session of theirs.
        connection_revalidate_count,
        /// Connections that were not let in: too many.
        connection_rejected,
        /// Connections whose client went away without a word.
        connection_drop_count,
        /// Connections that were closed since nothing came over them for too long.
        sessionless_connections_expired,
        /// Connections that were closed while this server served nobody.
        cnxn_closed_without_zk_server_running,
        /// Requests that were refused since too many waited.
        throttled_ops,
        /// Requests whose bytes could not be understood, or were too many.
        large_requests_rejected,
        /// How often this server looked for a leader.
        looking_count,
        /// Learners that were sent a snapshot.
        snap_count,
        /// Transactions that this leader has committed.
        commit_count,
        /// Transactions that this leader has proposed.
        proposal_count,
        /// Proposals that this learner has received.
        learner_proposal_received_count,
        /// Commits that this learner has received.
        learner_commit_received_count,
    }
    summaries {
        /// Milliseconds that a sync of the log takes.
        fsynctime,
        /// Milliseconds that a snapshot takes.
        snapshottime,
        /// Milliseconds that an election takes.
        election_time,
        /// Milliseconds without a leader.
        unavailable_time,
        /// Watchers that heard that a node was created, for each such node.
        node_created_watch_count,
        /// Watchers that heard that a node was deleted.
        node_deleted_watch_count,
        /// Watchers that heard that a node's data changed.
        node_changed_watch_count,
        /// Watchers that heard that a node's children changed.
        node_children_watch_count,
        /// Transactions that one sync of the log covered.
        sync_processor_batch_size,
    }
    distributions {
        /// Milliseconds from a read's arrival to its answer.
        readlatency,
        /// Milliseconds from a write's arrival to its answer.
        updatelatency,
    }
}

/// What is not counted but looked at when somebody asks: `name`, value.
pub(crate) type Gauges = Vec<(&'static str, Gauge)>;

/// A value of a moment.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Gauge {
    /// A whole number.
    Whole(i64),
    /// Another one.
    Real(f64),
}

/// Everything that is known when somebody asks.
pub(crate) struct Seen<'a> {
    /// What is looked at.
    pub(crate) gauges: Gauges,
    /// What the clients' half has counted.
    pub(crate) of_clients: &'a Metrics,
    /// What the member's half has counted.
    pub(crate) of_member: &'a Metrics,
}

impl Seen<'_> {
    /// Everything by name: first the gauges, then what is kept.
    fn each(&self, sink: &mut dyn FnMut(&'static str, Value<'_>)) {
        for &(name, gauge) in &self.gauges {
            sink(name, Value::Gauge(gauge));
        }
        self.of_clients.each_kept(self.of_member, sink);
    }

    /// `mntr`'s lines after the first ones, as `key`, value: a summary is five of them, a distribution nine.
    pub(crate) fn flat(&self) -> Vec<(String, Gauge)> {
        let mut lines = Vec::new();
        self.each(&mut |name, value| text::flatten(name, value, &mut lines));
        lines
    }

    /// As Prometheus reads it.
    pub(crate) fn prometheus(&self) -> String {
        text::prometheus(self)
    }
}
