//! What must hold after every command, checked against a record outside the members.

use crate::disk::Image;
use crate::words;
use consensus::{Configuration, Entry, NodeId, Position, Promise};
use core::fmt;
use std::collections::BTreeMap;
use std::error::Error;

/// What the members did, as nobody among them could know it.
#[derive(Default)]
pub(crate) struct Ghost {
    /// Every committed entry, in order.
    committed: Vec<Entry>,
    /// Who led each epoch.
    leaders: BTreeMap<u64, NodeId>,
    /// Whom each member voted for in each epoch.
    votes: BTreeMap<(NodeId, u64), NodeId>,
    /// The highest epoch that each member promised.
    epochs: BTreeMap<NodeId, u64>,
    /// The last position that was found synced on a quorum when somebody called it committed.
    secured: Position,
}

/// A broken promise of the protocol: always a bug.
#[derive(Debug)]
pub enum Violation {
    /// Two leaders in one epoch (Raft: Election Safety).
    TwoLeaders {
        /// The epoch.
        epoch: u64,
        /// Who led it first.
        first: NodeId,
        /// Who leads it, too.
        second: NodeId,
    },
    /// Two votes in one epoch.
    TwoVotes {
        /// Who voted.
        voter: NodeId,
        /// When.
        epoch: u64,
    },
    /// A promise was taken back.
    PromiseWentBack {
        /// Whose.
        member: NodeId,
    },
    /// A member's commit position went back.
    CommitWentBack {
        /// Whose.
        member: NodeId,
    },
    /// Two members applied different entries in the same place (Raft: State Machine Safety).
    AppliedOtherwise {
        /// Who applied what others did not.
        member: NodeId,
        /// What it applied.
        entry: Entry,
        /// What was applied there before.
        before: Entry,
    },
    /// Something is called committed that no quorum has synced.
    NotOnQuorum {
        /// Who called it so.
        member: NodeId,
        /// What.
        position: Position,
    },
    /// A new leader lacks a committed entry (Raft: Leader Completeness).
    LeaderLacks {
        /// The leader.
        leader: NodeId,
        /// What it lacks.
        entry: Entry,
    },
    /// Two logs hold different entries at one position (Raft: Log Matching).
    LogsDiffer {
        /// Whose log.
        one: NodeId,
        /// And whose.
        other: NodeId,
        /// Where they hold the same position and differ at it or before it.
        position: Position,
    },
    /// A linearizable read missed what was committed when it arrived.
    StaleRead {
        /// Who answered.
        member: NodeId,
        /// What it missed.
        entry: Entry,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |entry: &Entry| words::entries(core::slice::from_ref(entry));
        match self {
            Violation::TwoLeaders { epoch, first, second } => write!(f, "{first} and {second} both lead epoch {epoch}"),
            Violation::TwoVotes { voter, epoch } => write!(f, "{voter} voted twice in epoch {epoch}"),
            Violation::PromiseWentBack { member } => write!(f, "{member} took its promise back"),
            Violation::CommitWentBack { member } => write!(f, "the commit position of {member} went back"),
            Violation::AppliedOtherwise { member, entry, before } => {
                write!(f, "{member} applied {}, others {}", one(entry), one(before))
            }
            Violation::NotOnQuorum { member, position } => {
                write!(f, "{member} calls {position} committed, but no quorum has synced it")
            }
            Violation::LeaderLacks { leader, entry } => write!(f, "{leader} leads without the committed {}", one(entry)),
            Violation::LogsDiffer { one, other, position } => {
                write!(f, "{one} and {other} both hold {position}, but differ up to it")
            }
            Violation::StaleRead { member, entry } => write!(f, "{member} answered a read without the committed {}", one(entry)),
        }
    }
}

impl Error for Violation {}

impl Ghost {
    /// How many entries are committed.
    pub(crate) fn committed(&self) -> usize {
        self.committed.len()
    }

    /// The first committed entry that a machine which holds `count` entries lacks, of the first `upto`.
    pub(crate) fn missing(&self, count: usize, upto: usize) -> Option<&Entry> {
        self.committed[..upto].get(count)
    }

    /// Of all that such a machine lacks, the newest that says something.
    pub(crate) fn newest_missing(&self, count: usize, upto: usize) -> Option<&Entry> {
        let missing = self.committed[..upto].get(count..)?;
        missing.iter().rfind(|entry| !entry.data.is_empty()).or(missing.last())
    }

    /// `member` leads `epoch` with this log.
    pub(crate) fn leads(&mut self, member: NodeId, epoch: u64, log: &Image) -> Result<(), Violation> {
        let first = *self.leaders.entry(epoch).or_insert(member);
        if first != member {
            return Err(Violation::TwoLeaders { epoch, first, second: member });
        }
        match self.committed.iter().find(|entry| !log.holds(entry.position)) {
            Some(entry) => Err(Violation::LeaderLacks { leader: member, entry: entry.clone() }),
            None => Ok(()),
        }
    }

    /// `member` has synced this promise: what was not synced binds nobody.
    pub(crate) fn promises(&mut self, member: NodeId, promise: &Promise) -> Result<(), Violation> {
        let epoch = self.epochs.entry(member).or_default();
        if promise.epoch < *epoch {
            return Err(Violation::PromiseWentBack { member });
        }
        *epoch = promise.epoch;
        if let Some(candidate) = promise.vote
            && *self.votes.entry((member, promise.epoch)).or_insert(candidate) != candidate
        {
            return Err(Violation::TwoVotes { voter: member, epoch: promise.epoch });
        }
        Ok(())
    }

    /// `member` applies `entry` as the one after its first `count`.
    pub(crate) fn applies(&mut self, member: NodeId, count: usize, entry: &Entry) -> Result<(), Violation> {
        match self.committed.get(count) {
            Some(before) if before != entry => {
                Err(Violation::AppliedOtherwise { member, entry: entry.clone(), before: before.clone() })
            }
            Some(_) => Ok(()),
            None => {
                assert_eq!(count, self.committed.len(), "{member} applies with a gap");
                self.committed.push(entry.clone());
                Ok(())
            }
        }
    }

    /// `member` calls everything up to `position` committed, while the members' synced logs are these.
    pub(crate) fn commits(
        &mut self,
        member: NodeId,
        position: Position,
        configuration: &Configuration,
        synced: &BTreeMap<NodeId, &Image>,
    ) -> Result<(), Violation> {
        if position <= self.secured {
            return Ok(());
        }
        self.secured = position;
        if configuration.is_quorum(|id| synced.get(&id).is_some_and(|log| log.holds(position))) {
            Ok(())
        } else {
            Err(Violation::NotOnQuorum { member, position })
        }
    }
}

/// Logs that hold the same position are the same up to it.
pub(crate) fn logs_match(logs: &BTreeMap<NodeId, &Image>) -> Result<(), Violation> {
    for (&one, a) in logs {
        for (&other, b) in logs.range(one..).skip(1) {
            let base = a.base.max(b.base);
            let above = |log: &Image| log.entries.iter().filter(|entry| entry.position > base).cloned().collect::<Vec<_>>();
            let (a, b) = (above(a), above(b));
            let shared = a.iter().rposition(|entry| b.iter().any(|theirs| theirs.position == entry.position));
            let Some(end) = shared.map(|at| at + 1) else { continue };
            if b.len() < end || a[..end] != b[..end] {
                return Err(Violation::LogsDiffer { one, other, position: a[end - 1].position });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use consensus::EntryKind;

    fn entry(epoch: u64, index: u64, data: &'static str) -> Entry {
        Entry { position: Position::new(epoch, index), kind: EntryKind::Command, data: Bytes::from_static(data.as_bytes()) }
    }

    fn log(entries: &[Entry]) -> Image {
        Image { entries: entries.to_vec(), ..Image::default() }
    }

    #[test]
    fn one_leader_an_epoch_and_it_has_what_is_committed() {
        let mut ghost = Ghost::default();
        ghost.applies(NodeId(1), 0, &entry(1, 1, "x")).unwrap();
        let full = log(&[entry(1, 1, "x")]);
        ghost.leads(NodeId(1), 2, &full).unwrap();
        ghost.leads(NodeId(1), 2, &full).unwrap();
        assert!(matches!(ghost.leads(NodeId(2), 2, &full), Err(Violation::TwoLeaders { .. })));
        assert!(matches!(ghost.leads(NodeId(2), 3, &log(&[])), Err(Violation::LeaderLacks { .. })));
    }

    #[test]
    fn one_vote_an_epoch_and_no_way_back() {
        let mut ghost = Ghost::default();
        let promise = |epoch, vote| Promise { epoch, vote: Some(NodeId(vote)), ..Promise::default() };
        ghost.promises(NodeId(1), &promise(3, 1)).unwrap();
        assert!(matches!(ghost.promises(NodeId(1), &promise(3, 2)), Err(Violation::TwoVotes { .. })));
        assert!(matches!(ghost.promises(NodeId(1), &promise(2, 2)), Err(Violation::PromiseWentBack { .. })));
        ghost.promises(NodeId(1), &promise(4, 2)).unwrap();
    }

    #[test]
    fn the_same_entry_is_applied_everywhere() {
        let mut ghost = Ghost::default();
        ghost.applies(NodeId(1), 0, &entry(1, 1, "x")).unwrap();
        ghost.applies(NodeId(2), 0, &entry(1, 1, "x")).unwrap();
        assert!(matches!(ghost.applies(NodeId(3), 0, &entry(1, 1, "y")), Err(Violation::AppliedOtherwise { .. })));
        assert_eq!(ghost.missing(0, 1), Some(&entry(1, 1, "x")));
        assert_eq!(ghost.missing(1, 1), None);
    }

    #[test]
    fn committed_means_synced_on_a_quorum() {
        let (full, empty) = (log(&[entry(1, 1, "x")]), log(&[]));
        let configuration = Configuration::of([NodeId(1), NodeId(2), NodeId(3)]);
        let mut one = BTreeMap::from([(NodeId(1), &full), (NodeId(2), &empty), (NodeId(3), &empty)]);
        let commit =
            |synced: &BTreeMap<NodeId, &Image>| Ghost::default().commits(NodeId(1), Position::new(1, 1), &configuration, synced);
        assert!(matches!(commit(&one), Err(Violation::NotOnQuorum { .. })));
        one.insert(NodeId(3), &full);
        commit(&one).unwrap();
    }

    #[test]
    fn logs_that_agree_in_one_entry_agree_before_it() {
        let a = log(&[entry(1, 1, "x"), entry(2, 2, "y")]);
        let b = log(&[entry(1, 1, "x"), entry(2, 2, "y"), entry(2, 3, "z")]);
        let c = log(&[entry(1, 1, "other"), entry(2, 2, "y")]);
        let behind = Image { base: Position::new(1, 1), entries: vec![entry(2, 2, "y")], ..Image::default() };
        logs_match(&BTreeMap::from([(NodeId(1), &a), (NodeId(2), &b), (NodeId(3), &behind)])).unwrap();
        let differ = logs_match(&BTreeMap::from([(NodeId(1), &a), (NodeId(2), &c)]));
        assert!(matches!(differ, Err(Violation::LogsDiffer { .. })));
    }
}
