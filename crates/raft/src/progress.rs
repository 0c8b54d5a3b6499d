//! What a leader knows about one follower (Raft §5.3; the states are etcd's).
//!
//! ```text
//!            refused, link lost              the log begins after `next`
//!          ┌────────────────────┐          ┌───────────────────────────┐
//!          ▼                    │          │                           ▼
//!        Probe ───────────▶ Replicate    Probe ◀─────────────────── Snapshot
//!      one append a        appends flow,       delivered, or failed
//!      round, to find      a window bounds
//!      where logs agree    them
//! ```

use alloc::collections::VecDeque;
use consensus::Instant;

/// A follower, as its leader sees it. Invariant: `matched < next`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    /// The follower's log is known to equal ours up to here (the paper's matchIndex).
    matched: u64,
    /// The next entry to send (the paper's nextIndex).
    next: u64,
    pace: Pace,
    /// When it was last heard in this term.
    heard: Option<Instant>,
    /// When the latest heartbeat that it answered was sent. Kept for lease reads.
    beat_answered: Option<Instant>,
    /// The highest commit index that was sent along.
    commit_sent: u64,
    /// Appends without an answer: their last index and their bytes.
    inflight: VecDeque<(u64, usize)>,
    inflight_bytes: usize,
    /// It refused a probe at `matched`, which it once held; one more such answer and we believe that it lost its log.
    doubted: bool,
}

/// How a follower is sent entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// Where the logs agree is not known: one append, then wait for an answer or for the next answered heartbeat.
    Probe {
        /// One is on its way.
        waiting: bool,
    },
    /// Entries flow without waiting for answers.
    Replicate,
    /// The follower needs entries that the log no longer holds: it is being sent a snapshot up to `index`.
    Snapshot {
        /// The last entry that the snapshot covers.
        index: u64,
    },
}

/// What a refusal meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It answers an append that later answers have overtaken.
    Stale,
    /// `next` went back: try again.
    Retry,
    /// It denies what it once confirmed. That may be an old answer; if it says so again it is believed.
    Doubted,
    /// It said so again: it lost entries that it once confirmed. All that was known of it is void.
    Lost,
}

impl Progress {
    /// At the beginning of a term nothing is known; the guess is that the follower has all that we have.
    pub(crate) fn new(last: u64) -> Progress {
        Progress {
            matched: 0,
            next: last + 1,
            pace: Pace::Probe { waiting: false },
            heard: None,
            beat_answered: None,
            commit_sent: 0,
            inflight: VecDeque::new(),
            inflight_bytes: 0,
            doubted: false,
        }
    }

    /// The follower's log is known to equal the leader's up to this index (the paper's matchIndex).
    pub fn matched(&self) -> u64 {
        self.matched
    }

    /// The next entry to send (the paper's nextIndex).
    pub fn next(&self) -> u64 {
        self.next
    }

    /// How it is sent entries.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// When it last answered in this term.
    pub fn heard(&self) -> Option<Instant> {
        self.heard
    }

    /// How many appends are on their way without an answer.
    pub fn inflight(&self) -> usize {
        self.inflight.len()
    }

    /// When the latest heartbeat that it answered was sent.
    pub(crate) fn beat_answered(&self) -> Option<Instant> {
        self.beat_answered
    }

    /// It answered, whatever it said.
    pub(crate) fn on_heard(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    /// It answered the heartbeat that was sent at `sent`.
    pub(crate) fn on_beat_answered(&mut self, sent: Instant) {
        self.beat_answered = self.beat_answered.max(Some(sent));
    }

    /// It answered a heartbeat: whatever probe was on its way has arrived or is lost, so another may go.
    pub(crate) fn resume(&mut self) {
        if let Pace::Probe { waiting } = &mut self.pace {
            *waiting = false;
        }
    }

    /// Nothing may be sent now, not even an empty append.
    pub(crate) fn is_paused(&self) -> bool {
        matches!(self.pace, Pace::Probe { waiting: true } | Pace::Snapshot { .. })
    }

    /// The window has no room for another append with entries.
    pub(crate) fn is_full(&self, messages_max: usize, bytes_max: usize) -> bool {
        self.pace == Pace::Replicate && (self.inflight.len() >= messages_max || self.inflight_bytes >= bytes_max)
    }

    /// An append with `count` entries of `bytes` bytes left.
    pub(crate) fn on_sent(&mut self, count: u64, bytes: usize, commit: u64) {
        self.commit_sent = commit;
        match &mut self.pace {
            Pace::Probe { waiting } => *waiting = true,
            Pace::Replicate if count > 0 => {
                self.next += count;
                self.inflight.push_back((self.next - 1, bytes));
                self.inflight_bytes += bytes;
            }
            Pace::Replicate | Pace::Snapshot { .. } => {}
        }
    }

    /// A heartbeat left that carried this commit index.
    pub(crate) fn on_commit_sent(&mut self, commit: u64) {
        self.commit_sent = self.commit_sent.max(commit);
    }

    /// Whether telling it of `committed` now, in an append of its own, could raise its commit index. Not while entries are on their
    /// way to it: its answer to them is the time to tell it, or the next entries will.
    pub(crate) fn can_learn_commit(&self, committed: u64) -> bool {
        committed > self.commit_sent && self.commit_sent < self.next - 1 && self.inflight.is_empty()
    }

    /// It holds everything up to `upto`. True if that is news.
    ///
    /// `base` is what our log begins after: a follower in need of a snapshot that reached it by other means goes on from the log.
    pub(crate) fn on_appended(&mut self, upto: u64, base: u64) -> bool {
        let news = upto > self.matched;
        self.doubted = false;
        if news {
            self.matched = upto;
            self.next = self.next.max(upto + 1);
        }
        match self.pace {
            // The answer to a probe: the logs agree up to `matched`, so entries may flow. An old answer, or one that says nothing but
            // its sender's term, is none: believed, it would send the search back to where it began, or to another snapshot.
            Pace::Probe { .. } if news || upto + 1 == self.next => self.replicate(),
            Pace::Snapshot { .. } if news && self.matched >= base => self.replicate(),
            Pace::Replicate => self.free(upto),
            Pace::Probe { .. } | Pace::Snapshot { .. } => {}
        }
        news
    }

    /// It has no entry that matches what preceded the append at `previous`; its log and ours may agree up to `conflict`, which
    /// was found by term. `tells`: it would have said if it were another process than before.
    pub(crate) fn on_refused(&mut self, previous: u64, conflict: u64, tells: bool) -> Verdict {
        match self.pace {
            Pace::Snapshot { .. } => Verdict::Stale,
            Pace::Replicate if previous <= self.matched => Verdict::Stale,
            Pace::Replicate => {
                // Some append got lost on the way; what is matched stays matched.
                self.probe();
                Verdict::Retry
            }
            // A probe is the only append on its way: other refusals are old.
            Pace::Probe { .. } if previous != self.next - 1 => Verdict::Stale,
            // The same process cannot have lost what it confirmed: the answer is an old one, however often it comes.
            Pace::Probe { .. } if previous <= self.matched && tells => Verdict::Stale,
            Pace::Probe { .. } if previous <= self.matched => {
                if !self.doubted {
                    self.doubted = true;
                    return Verdict::Doubted;
                }
                *self = Progress { heard: self.heard, ..Progress::new(previous.min(conflict)) };
                Verdict::Lost
            }
            Pace::Probe { .. } => {
                self.next = (conflict + 1).min(previous).max(self.matched + 1);
                self.commit_sent = self.commit_sent.min(self.next - 1);
                self.pace = Pace::Probe { waiting: false };
                Verdict::Retry
            }
        }
    }

    /// The link was lost, and with it probably what was on its way. A search for where the logs agree goes on where it was; the
    /// end of a snapshot's transfer will be told.
    pub(crate) fn on_disconnected(&mut self) {
        match self.pace {
            Pace::Replicate => self.probe(),
            Pace::Probe { .. } => self.resume(),
            Pace::Snapshot { .. } => {}
        }
    }

    /// Asks anew where the logs agree, beginning after what is known to match.
    fn probe(&mut self) {
        let floor = match self.pace {
            // A snapshot that may have arrived; if it did not, the probe after it will be refused and lead back here.
            Pace::Snapshot { index } => index,
            Pace::Probe { .. } | Pace::Replicate => 0,
        };
        self.restart(Pace::Probe { waiting: false }, self.matched.max(floor) + 1);
    }

    /// Another process answers for this follower: it may have lost its disk. That it was heard stays true, or a leader would find
    /// in the midst of a step that the time to step down has passed.
    pub(crate) fn forget(&mut self, last: u64) {
        *self = Progress { heard: self.heard, ..Progress::new(last) };
    }

    /// A snapshot up to `index` is on its way.
    pub(crate) fn snapshot(&mut self, index: u64) {
        self.restart(Pace::Snapshot { index }, index.max(self.matched) + 1);
    }

    /// The snapshot's transfer ended.
    pub(crate) fn on_snapshot_sent(&mut self, delivered: bool) {
        if !matches!(self.pace, Pace::Snapshot { .. }) {
            return;
        }
        if !delivered {
            self.restart(Pace::Probe { waiting: false }, self.matched + 1);
        } else {
            self.probe();
        }
        // Either way wait: for its answer to the snapshot, or for a heartbeat before the next attempt.
        self.pace = Pace::Probe { waiting: true };
    }

    fn replicate(&mut self) {
        self.restart(Pace::Replicate, self.matched + 1);
    }

    fn restart(&mut self, pace: Pace, next: u64) {
        self.pace = pace;
        self.next = next;
        self.commit_sent = self.commit_sent.min(next - 1);
        self.inflight.clear();
        self.inflight_bytes = 0;
    }

    fn free(&mut self, upto: u64) {
        while let Some(&(last, bytes)) = self.inflight.front() {
            if last > upto {
                break;
            }
            self.inflight.pop_front();
            self.inflight_bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_that_restarted_was_heard_all_the_same() {
        let mut progress = Progress::new(7);
        progress.on_heard(Instant::from_nanos(5));
        progress.on_appended(7, 0);
        progress.forget(9);
        assert_eq!((progress.matched(), progress.next(), progress.heard()), (0, 10, Some(Instant::from_nanos(5))));
    }

    #[test]
    fn an_old_refusal_that_comes_twice_does_not_void_what_was_confirmed() {
        let mut progress = Progress::new(7);
        progress.on_appended(7, 0);
        progress.probe();
        for _ in 0..2 {
            assert_eq!(progress.on_refused(7, 3, true), Verdict::Stale);
        }
        assert_eq!(progress.matched(), 7);
        // Who does not say which process it is may have lost its disk, and is believed the second time.
        assert_eq!(progress.on_refused(7, 3, false), Verdict::Doubted);
        assert_eq!(progress.on_refused(7, 3, false), Verdict::Lost);
        assert_eq!(progress.matched(), 0);
    }

    fn probing(matched: u64, next: u64) -> Progress {
        Progress { matched, next, ..Progress::new(0) }
    }

    fn replicating(matched: u64, next: u64) -> Progress {
        Progress { pace: Pace::Replicate, ..probing(matched, next) }
    }

    #[test]
    fn a_probe_is_one_append_at_a_time() {
        let mut progress = Progress::new(9);
        assert_eq!((progress.matched(), progress.next()), (0, 10));
        progress.on_sent(2, 20, 0);
        assert!(progress.is_paused());
        assert_eq!(progress.next(), 10, "it is sent again until it is answered");
        progress.resume();
        assert!(!progress.is_paused());
        progress.on_sent(2, 20, 0);
        assert!(progress.on_appended(11, 0));
        assert_eq!((progress.pace(), progress.matched(), progress.next()), (Pace::Replicate, 11, 12));
    }

    #[test]
    fn a_window_is_full_by_count_or_by_bytes() {
        let mut progress = replicating(0, 1);
        for _ in 0..3 {
            progress.on_sent(1, 10, 0);
        }
        assert!(progress.is_full(3, 1_000) && progress.is_full(9, 30) && !progress.is_full(4, 31));
        assert!(!progress.is_paused(), "an empty append may still ask where it stands");
        progress.on_appended(2, 0);
        assert_eq!(progress.inflight(), 1);
        assert!(!progress.is_full(3, 1_000));
        // An empty append takes no room.
        progress.on_sent(0, 0, 0);
        assert_eq!((progress.inflight(), progress.next()), (1, 4));
    }

    #[test]
    fn refusals_move_next_back_unless_they_are_old() {
        // (pace and state before, refused, conflict, verdict, next after)
        let cases = [
            (replicating(5, 10), 5, 5, Verdict::Stale, 10),
            (replicating(5, 10), 4, 4, Verdict::Stale, 10),
            (replicating(5, 10), 9, 9, Verdict::Retry, 6),
            (probing(0, 10), 8, 8, Verdict::Stale, 10),
            (probing(0, 10), 11, 11, Verdict::Stale, 10),
            (probing(0, 10), 9, 8, Verdict::Retry, 9),
            (probing(0, 10), 9, 9, Verdict::Retry, 9),
            (probing(0, 10), 9, 2, Verdict::Retry, 3),
            (probing(0, 10), 9, 0, Verdict::Retry, 1),
            (probing(4, 10), 9, 2, Verdict::Retry, 5),
            (probing(0, 10), u64::MAX, 2, Verdict::Stale, 10),
        ];
        for (mut progress, refused, conflict, verdict, next) in cases {
            let before = progress.clone();
            assert_eq!(progress.on_refused(refused, conflict, false), verdict, "{refused} by {before:?}");
            assert_eq!(progress.next(), next, "{refused} by {before:?}");
        }
    }

    #[test]
    fn a_follower_that_denies_twice_what_it_confirmed_is_believed() {
        let mut progress = probing(9, 10);
        assert_eq!(progress.on_refused(9, 3, false), Verdict::Doubted);
        assert_eq!(progress.matched(), 9);
        assert_eq!(progress.on_refused(9, 3, false), Verdict::Lost);
        assert_eq!((progress.matched(), progress.next()), (0, 4));
        // An answer in between says that the refusal was old.
        let mut progress = probing(9, 10);
        assert_eq!(progress.on_refused(9, 3, false), Verdict::Doubted);
        progress.on_appended(9, 0);
        assert_eq!((progress.pace(), progress.matched()), (Pace::Replicate, 9));
    }

    #[test]
    fn a_snapshot_pauses_until_it_is_answered_or_its_transfer_ends() {
        let mut sent = probing(0, 3);
        sent.snapshot(20);
        assert!(sent.is_paused());
        sent.on_snapshot_sent(true);
        assert_eq!((sent.pace(), sent.next()), (Pace::Probe { waiting: true }, 21));
        let mut failed = probing(0, 3);
        failed.snapshot(20);
        failed.on_snapshot_sent(false);
        assert_eq!((failed.pace(), failed.next()), (Pace::Probe { waiting: true }, 1));
        // It reached the log by other means: no matter which snapshot that was.
        let mut caught_up = probing(0, 3);
        caught_up.snapshot(20);
        assert!(caught_up.on_appended(15, 10));
        assert_eq!((caught_up.pace(), caught_up.next()), (Pace::Replicate, 16));
        // Not far enough for the log to go on from.
        let mut behind = probing(0, 3);
        behind.snapshot(20);
        behind.on_appended(5, 10);
        assert!(behind.is_paused());
    }

    #[test]
    fn a_lost_link_does_not_undo_a_search() {
        let mut searching = Progress::new(99);
        searching.on_sent(1, 1, 0);
        searching.on_disconnected();
        assert_eq!((searching.pace(), searching.next()), (Pace::Probe { waiting: false }, 100));
        let mut flowing = replicating(5, 9);
        flowing.on_disconnected();
        assert_eq!((flowing.pace(), flowing.next()), (Pace::Probe { waiting: false }, 6));
    }

    #[test]
    fn it_is_told_of_a_commit_that_it_can_use() {
        let mut progress = replicating(5, 6);
        assert!(progress.can_learn_commit(3));
        progress.on_sent(0, 0, 5);
        assert!(!progress.can_learn_commit(9), "it holds nothing beyond 5");
        progress.on_sent(2, 2, 5);
        assert!(!progress.can_learn_commit(7), "entries are on their way");
        progress.on_appended(7, 0);
        assert!(progress.can_learn_commit(6) && !progress.can_learn_commit(5));
    }
}
