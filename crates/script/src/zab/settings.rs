//! What `cluster` can set.

use crate::args;
use consensus::{Configuration, Hierarchy, NodeId};
use core::time::Duration;
use std::error::Error;
use zab::Config;

/// Zab's settings, the same for all members.
#[derive(Clone)]
pub struct Settings {
    config: Config,
    /// The last so many members are observers.
    observers: u64,
    /// Groups and weights; `None`: a majority decides.
    hierarchy: Option<Hierarchy>,
}

impl Default for Settings {
    fn default() -> Settings {
        let config = Config::new(NodeId(0), Configuration::default());
        Settings { config, observers: 0, hierarchy: None }
    }
}

impl Settings {
    /// Sets `key`. False: there is no such key.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<bool, Box<dyn Error>> {
        let config = &mut self.config;
        match key {
            "tick" => config.tick = args::span(value)?,
            "init" => config.init_limit = args::number(value)?,
            "sync" => config.sync_limit = args::number(value)?,
            "finalize" => config.finalize_wait = args::span(value)?,
            "early" => config.early_finalize = args::switch(value)?,
            "history" => config.history_bytes_max = args::number(value)?,
            "observers" => self.observers = args::number(value)?,
            _ => {
                if let Some(group) = key.strip_prefix("group.") {
                    let group = args::number(group)?;
                    for member in value.split(':') {
                        self.hierarchy.get_or_insert_default().groups.insert(args::node(member)?, group);
                    }
                } else if let Some(member) = key.strip_prefix("weight.") {
                    self.hierarchy.get_or_insert_default().weights.insert(args::node(member)?, args::number(value)?);
                } else {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// How long silence may last.
    pub(super) fn sync_time(&self) -> Duration {
        self.config.tick * self.config.sync_limit
    }

    /// The last of `count` members are observers, if any were asked for.
    pub(super) fn configuration(&self, count: u64) -> Configuration {
        let voters = count - self.observers.min(count);
        Configuration {
            learners: (voters + 1..=count).map(NodeId).collect(),
            hierarchy: self.hierarchy.clone(),
            ..Configuration::of((1..=voters).map(NodeId))
        }
    }

    /// The settings of member `id`.
    pub(super) fn of(&self, id: NodeId, configuration: &Configuration) -> Config {
        Config { id, configuration: configuration.clone(), ..self.config.clone() }
    }
}
