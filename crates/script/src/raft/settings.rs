//! What `cluster` can set.

use crate::args;
use consensus::NodeId;
use core::time::Duration;
use raft::Config;
use std::error::Error;

/// Raft's settings, the same for all members but for their timers.
#[derive(Clone)]
pub struct Settings {
    config: Config,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { config: Config::new(NodeId(0)) }
    }
}

impl Settings {
    /// Sets `key`. False: there is no such key.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<bool, Box<dyn Error>> {
        let config = &mut self.config;
        match key {
            "election" => config.election_timeout = args::span(value)?,
            "heartbeat" => config.heartbeat_interval = args::span(value)?,
            "prevote" => config.pre_vote = args::switch(value)?,
            "checkquorum" => config.check_quorum = args::switch(value)?,
            "lease" => config.vote_lease = args::switch(value)?,
            "early" => config.early_election = args::switch(value)?,
            "leasereads" => config.lease_reads = args::switch(value)?,
            "inflight" => config.inflight_messages_max = args::number(value)?,
            "bytes" => config.message_bytes_max = args::number(value)?,
            "cache" => config.cache_bytes_max = args::number(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// How long a member waits for a leader, at least.
    pub(super) fn election_timeout(&self) -> Duration {
        self.config.election_timeout
    }

    /// Whether leaders answer reads from their lease.
    pub(super) fn lease_reads(&self) -> bool {
        self.config.lease_reads
    }

    /// The settings of member `id`, whose timer is always `timer`.
    pub(super) fn of(&self, id: NodeId, timer: Duration) -> Config {
        Config { id, election_timer: Some(timer), ..self.config.clone() }
    }
}
