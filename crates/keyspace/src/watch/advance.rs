//! Keeping up with the head.

use super::Watches;
use super::page::Want;
use super::watcher::Pace;
use crate::{Keyspace, Values};
use alloc::vec::Vec;
use consensus::Instant;

/// What is new at once, in bytes, above which watchers catch up page by page: after a snapshot was installed, for instance.
const NEWS_BYTES_MAX: usize = 16 << 20;

impl Watches {
    /// Looks at what the machine has applied since the last time, tells those whom it concerns, and says how far idle watchers have
    /// come when that is due. To be called after every turn of the machine, before it sweeps up after a compaction.
    pub fn advance<V: Values>(&mut self, now: Instant, machine: &Keyspace<V>) {
        self.look(machine);
        self.notify_progress(now);
    }

    fn look<V: Values>(&mut self, machine: &Keyspace<V>) {
        let newest = machine.revision;
        if newest <= self.head {
            return;
        }
        let before = core::mem::replace(&mut self.head, newest);
        if self.synced.is_empty() {
            return;
        }
        let want = Want { from: before + 1, upto: newest, budget: NEWS_BYTES_MAX };
        // A compaction that is not swept up yet took nothing from what is new; but a machine from a snapshot is swept already.
        let news = machine.values.page(want).filter(|page| page.through == newest && machine.has_all_since(want.from));
        match news {
            Some(page) => self.tell(machine, Pace::Synced, page.changes, newest),
            None => self.leave_all_behind(before + 1),
        }
    }

    /// Lets all catch up from `next` on whom what is new might concern.
    fn leave_all_behind(&mut self, next: i64) {
        let head = self.head;
        let late = |&(_, watcher): &(u32, &super::Watcher)| watcher.pace == Pace::Synced && watcher.cursor <= head;
        let late: Vec<_> = self.watchers.slots().filter(late).map(|(slot, watcher)| (slot, watcher.cursor.max(next))).collect();
        for (slot, cursor) in late {
            self.go(slot, Pace::Waiting, cursor);
        }
    }
}
