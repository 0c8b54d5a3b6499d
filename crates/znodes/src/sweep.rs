//! Containers that are empty again, and nodes whose time to live is over (Java: `ContainerManager`).

use crate::nodes::Slot;
use crate::owner::Owner;
use crate::{Settings, Tree};
use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use consensus::Instant;
use core::ops::Bound;
use core::time::Duration;

/// Nodes looked at before other work gets its turn.
const NODES_AT_A_TIME: usize = 1_000;

/// When the leader looks for what may go, and what it has found.
#[derive(Debug)]
pub(crate) struct Sweep {
    interval: Duration,
    /// So that not all go at once.
    pause: Duration,
    /// When to look again, or to go on looking.
    next_look: Instant,
    looking: Option<Place>,
    found: VecDeque<String>,
    next_delete: Instant,
}

/// How far a look has come.
#[derive(Clone, Copy, Debug)]
enum Place {
    Containers(Option<Slot>),
    Ttls(Option<Slot>),
}

impl Sweep {
    pub(crate) fn new(now: Instant, settings: &Settings) -> Sweep {
        let interval = settings.container_check_interval;
        Sweep {
            interval,
            pause: Duration::from_secs(60) / settings.containers_per_minute.max(1),
            next_look: now + interval,
            looking: None,
            found: VecDeque::new(),
            next_delete: now,
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        if self.found.is_empty() { self.next_look } else { self.next_delete }
    }

    /// What is to be deleted now.
    pub(crate) fn due(&mut self, now: Instant, tree: &Tree) -> Vec<String> {
        if self.found.is_empty() && self.next_look <= now {
            self.look(now, tree);
        }
        let mut due = Vec::new();
        while self.next_delete <= now
            && let Some(path) = self.found.pop_front()
        {
            due.push(path);
            // What was missed is not made up for: the pause is there to spread the load.
            self.next_delete = now + self.pause;
        }
        due
    }

    fn look(&mut self, now: Instant, tree: &Tree) {
        let place = self.looking.take().unwrap_or(Place::Containers(None));
        let (slots, after) = match place {
            Place::Containers(after) => (&tree.containers, after),
            Place::Ttls(after) => (&tree.ttls, after),
        };
        let batch = batch(slots, after);
        self.found.extend(batch.iter().filter(|&&slot| tree.may_go(slot)).map(|&slot| tree.nodes.get(slot).path.to_string()));
        let last = batch.last().copied().filter(|_| batch.len() == NODES_AT_A_TIME);
        self.looking = match (place, last) {
            (Place::Containers(_), Some(last)) => Some(Place::Containers(Some(last))),
            (Place::Containers(_), None) => Some(Place::Ttls(None)),
            (Place::Ttls(_), Some(last)) => Some(Place::Ttls(Some(last))),
            (Place::Ttls(_), None) => None,
        };
        self.next_look = if self.looking.is_some() { now } else { now + self.interval };
    }
}

fn batch(slots: &BTreeSet<Slot>, after: Option<Slot>) -> Vec<Slot> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    slots.range((from, Bound::Unbounded)).take(NODES_AT_A_TIME).copied().collect()
}

impl Tree {
    /// Whether a container was used and is empty, or was never used for too long; whether a node's time to live is over.
    fn may_go(&self, slot: Slot) -> bool {
        let node = self.nodes.get(slot);
        let age = self.wall.saturating_sub(node.numbers.mtime);
        let never_used = i64::try_from(self.settings.container_never_used.as_millis()).unwrap_or(i64::MAX);
        node.children() == 0
            && match self.owner(&node.numbers) {
                // A container that was just made has no children yet.
                Owner::Container => node.numbers.cversion > 0 || (never_used != 0 && age > never_used),
                Owner::Ttl(ttl) => ttl != 0 && age > ttl,
                Owner::Nobody | Owner::Session(_) => false,
            }
    }
}
