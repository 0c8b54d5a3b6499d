//! etcd's state machine, without IO.
//!
//! A *key* has a history: each write makes a new *revision* of the store, and every revision stays readable until it is
//! *compacted*. A transaction compares, then reads and writes at one revision. A *lease* takes the keys that hang on it along when it
//! ends. Members, alarms and the cluster's version go through the same log and so are here, too.
//!
//! ```text
//!                      ┌ check ┐  request → refused, in etcd's words, before it costs anything
//!   Command ──▶ apply ─┤ txn   ├─ write ─▶ index     key → its revisions, in memory
//!                      │ …     │        ─▶ Values    revision → what was written, behind a trait
//!                      └ sweep ┘
//!   Query   ──▶ read  ── view ── index, Values
//!   Watches ── after each turn, beside the machine: what is new, and for whom
//! ```
//!
//! What is here is what etcd 3.5.16 does with the same log, down to the order of sub-revisions and of checks: members of both kinds
//! must hold the same (compare [`Query::HashKv`]). Where etcd's own server would stop, this one goes on as its comments say.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod alarms;
mod answer;
mod build;
mod check;
mod checksum;
mod command;
mod error;
mod expiry;
mod flush;
mod hash;
mod history;
mod index;
mod leases;
mod members;
mod range;
mod request;
mod restore;
mod revision;
pub mod row;
mod snapshot;
mod sweep;
mod txn;
mod values;
pub mod varint;
mod view;
mod watch;
mod weight;
mod write;

pub use answer::{
    Answer, DeleteRangeAnswer, HashKv, KeyValue, LeaseAnswer, MembersAnswer, OpAnswer, PutAnswer, Query, RangeAnswer, Response,
    Status, TxnAnswer,
};
pub use build::{Builder, RowError};
pub use check::{MAX_TXN_OPS, check_delete_range, check_put, check_range, check_txn};
pub use command::{
    Alarm, AlarmAction, AlarmKind, AlarmRequest, Command, Downgrade, LeaseCheckpoint, LeaseGrantRequest, MemberChange,
};
pub use error::KeyspaceError;
pub use expiry::{LeaseSettings, LeaseTally, Renewal, TTL_BUCKETS};
pub use flush::Flush;
use hash::CompactionHash;
pub use hash::Hashing;
pub use members::Member;
pub use range::KeyRange;
pub use request::{
    CompactRequest, Compare, DeleteRangeRequest, Op, Operand, PutRequest, RangeRequest, Relation, SortOrder, SortTarget,
    TxnRequest,
};
pub use restore::Head;
pub use revision::Revision;
pub use snapshot::Cursor;
pub use values::{Change, MemoryValues, Unwritten, Values};
pub use watch::{
    Page, ReadPages, StreamId, Want, WatchEvent, WatchNews, WatchOptions, WatchRefusal, WatchRequest, WatchResponse, Watches,
};

use crate::alarms::Alarms;
use crate::expiry::Expiry;
use crate::index::Index;
use crate::leases::Leases;
use crate::members::Members;
use crate::sweep::Sweep;
use crate::view::View;
use crate::write::Write;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::{Instant, NodeId, Position, Restore, RestoreError, StateMachine, Wall};
use core::convert::Infallible;
use core::fmt;

/// etcd's state machine.
///
/// Invariants: the index holds a mark exactly where the values hold a change; `compacted <= revision`; a key that hangs on a
/// lease is in that lease's set, and the lease exists.
pub struct Keyspace<V = MemoryValues> {
    applied: Position,
    /// The newest revision; 1 before the first write.
    revision: i64,
    /// The last compaction: the first revision that can be read. -1 before the first, as in etcd.
    compacted: i64,
    index: Index,
    values: V,
    leases: Leases,
    expiry: Expiry,
    members: Members,
    alarms: Alarms,
    cluster_version: Option<String>,
    downgrade: Downgrade,
    /// What a compaction left to do.
    sweep: Option<Sweep>,
    /// The last compaction that anything was swept up after, or may have been: of the revisions from here on everything is held.
    swept: i64,
    /// The checksum of the last compaction, while it is taken.
    compaction_hash: Option<Hashing>,
    /// Those of the compactions before, by revision.
    hashes: VecDeque<CompactionHash>,
    /// Snapshots and checksums in progress, and where the last compaction was when each began.
    pins: BTreeMap<u64, i64>,
    next_pin: u64,
}

impl<V: Values + Default> Keyspace<V> {
    /// The empty store, as a new cluster begins.
    pub fn new() -> Keyspace<V> {
        Keyspace::with(V::default())
    }
}

impl<V: Values + Default> Default for Keyspace<V> {
    fn default() -> Keyspace<V> {
        Keyspace::new()
    }
}

impl<V: Values> Keyspace<V> {
    /// The empty store, whose changes go into `values`.
    pub fn with(values: V) -> Keyspace<V> {
        let mut leases = Leases::default();
        if V::WRITES_BEHIND {
            leases.keep_account();
        }
        Keyspace {
            applied: Position::ZERO,
            revision: 1,
            compacted: -1,
            index: Index::default(),
            values,
            leases,
            expiry: Expiry::default(),
            members: Members::default(),
            alarms: Alarms::default(),
            cluster_version: None,
            downgrade: Downgrade::default(),
            sweep: None,
            swept: -1,
            compaction_hash: None,
            hashes: VecDeque::new(),
            pins: BTreeMap::new(),
            next_pin: 0,
        }
    }

    /// The same machine over values of another kind, which hold the same.
    pub fn map_values<W: Values>(self, map: impl FnOnce(V) -> W) -> Keyspace<W> {
        Keyspace {
            applied: self.applied,
            revision: self.revision,
            compacted: self.compacted,
            index: self.index,
            values: map(self.values),
            leases: self.leases,
            expiry: self.expiry,
            members: self.members,
            alarms: self.alarms,
            cluster_version: self.cluster_version,
            downgrade: self.downgrade,
            sweep: self.sweep,
            swept: self.swept,
            compaction_hash: self.compaction_hash,
            hashes: self.hashes,
            pins: self.pins,
            next_pin: self.next_pin,
        }
    }

    /// Where the changes are kept.
    pub fn values(&self) -> &V {
        &self.values
    }

    /// Where the changes are kept, for housekeeping: what they are is the machine's business alone.
    pub fn values_mut(&mut self) -> &mut V {
        &mut self.values
    }

    /// Sets the shortest life of a lease, in seconds: etcd's is one and a half election timeouts, rounded up (2 by default). A
    /// setting, not a part of the state: it must be the same on all members, and is set anew after a restore.
    pub fn set_min_lease_ttl(&mut self, seconds: i64) {
        self.leases.min_ttl = seconds;
    }

    /// Tells this member how it keeps leases' clocks when it leads.
    pub fn set_lease_settings(&mut self, settings: LeaseSettings) {
        self.expiry.settings = settings;
    }

    /// Puts a known bug back: as a leader this member lets every lease begin anew.
    #[cfg(feature = "mutants")]
    pub fn begin_leases_whole(&mut self) {
        self.expiry.begins_whole = true;
    }

    /// Tells this member whether its notes of what leases have left are welcome: see [`LeaseSettings::checkpoints`].
    pub fn keep_lease_checkpoints(&mut self, checkpoints: bool) {
        self.expiry.settings.checkpoints = checkpoints;
    }

    /// Takes over from the machine that this one replaces what is not a part of the state: settings, and what was counted.
    pub fn succeed(&mut self, before: &Keyspace<V>) {
        self.leases.min_ttl = before.leases.min_ttl;
        self.expiry.settings = before.expiry.settings;
        self.expiry.tally = before.expiry.tally;
    }

    /// The newest revision.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The members, in order of id.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.members.present()
    }

    /// Whether a change of the members would be one, as [`StateMachine::apply`] will judge it.
    pub fn check_member_change(&self, change: &MemberChange) -> Result<(), KeyspaceError> {
        self.members.validate(change)
    }

    /// Each lease, with the time that it was granted for, in seconds.
    pub fn leases(&self) -> impl Iterator<Item = (i64, i64)> {
        self.leases.terms().map(|(id, terms)| (id, terms.ttl))
    }

    /// About how many bytes the history takes.
    pub fn bytes(&self) -> u64 {
        self.values.bytes()
    }

    /// Where the machine stands.
    pub fn status(&self) -> Status {
        Status {
            revision: self.revision,
            compacted: self.compacted,
            applied: self.applied,
            db_size: self.values.bytes(),
            db_size_in_use: self.values.bytes(),
            keys: self.index.alive(),
            cluster_version: self.cluster_version.clone(),
            downgrade: self.downgrade.clone(),
            alarms: self.alarms.raised().copied().collect(),
        }
    }

    fn carry_out(&mut self, command: Command) -> Response {
        if let Command::LeaseRevoke { id } = command {
            self.expiry.ending(id, self.applied.index);
        }
        if let Some(refusal) = self.alarms.refuse(&command) {
            if let Command::LeaseRevoke { id } = command {
                self.expiry.not_ended(id);
            }
            return Err(refusal);
        }
        match command {
            Command::Put(request) => {
                self.check_put(&request)?;
                let mut write = Write::begin(self);
                let answer = write.put(&request);
                write.finish();
                Ok(Answer::Put(answer))
            }
            Command::DeleteRange(request) => {
                let mut write = Write::begin(self);
                let answer = write.delete_range(&request);
                write.finish();
                Ok(Answer::DeleteRange(answer))
            }
            Command::Txn(request) => self.txn(&request).map(Answer::Txn),
            Command::Range(request) => self.view().range(&request).map(Answer::Range),
            Command::Compact(request) => {
                self.compact(request)?;
                Ok(Answer::Compact { revision: self.revision })
            }
            Command::LeaseGrant(LeaseGrantRequest { id, ttl }) => {
                let ttl = self.leases.grant(id, ttl)?;
                self.expiry.granted(id, ttl);
                Ok(Answer::LeaseGrant { revision: self.revision, id, ttl })
            }
            Command::LeaseRevoke { id } => self.revoke(id),
            Command::LeaseCheckpoint(checkpoints) => {
                for LeaseCheckpoint { id, remaining_ttl } in checkpoints {
                    self.leases.checkpoint(id, remaining_ttl);
                }
                Ok(Answer::LeaseCheckpoint { revision: self.revision })
            }
            Command::Alarm(request) => Ok(Answer::Alarm(self.alarms.apply(request))),
            Command::Member(change) => {
                self.members.change(change)?;
                Ok(Answer::Members(self.members.answer()))
            }
            Command::MemberAttributes { id, name, client_urls } => {
                self.members.set_attributes(id, name, client_urls);
                Ok(Answer::Done)
            }
            Command::ClusterVersion(version) => {
                self.cluster_version = Some(version);
                Ok(Answer::Done)
            }
            Command::Downgrade(downgrade) => {
                self.downgrade = downgrade;
                Ok(Answer::Done)
            }
            Command::Unsupported(name) => Err(KeyspaceError::Unsupported(name)),
        }
    }

    /// Ends a lease and deletes its keys in one revision, in order, so that all members give them the same sub-revisions.
    fn revoke(&mut self, id: i64) -> Response {
        let keys = self.leases.revoke(id)?;
        self.expiry.ended(id);
        let mut write = Write::begin(self);
        for key in &keys {
            write.delete(KeyRange::One(key));
        }
        Ok(Answer::LeaseRevoke { revision: write.finish() })
    }

    fn view(&self) -> View<'_, V> {
        View { index: &self.index, values: &self.values, revision: self.revision, compacted: self.compacted }
    }
}

impl<V: Values> StateMachine for Keyspace<V> {
    type Request = Command;
    type Command = Command;
    type Query = Query;
    type Response = Response;
    type Event = Infallible;
    type Cursor = Cursor;

    fn tell_time(&mut self, now: Instant, _wall: Wall) {
        self.expiry.tell_time(now);
    }

    fn prepare(&mut self, next: Position, _wall: Wall, _from: NodeId, request: Command) -> Command {
        self.expiry.proposed(next.index, &request);
        request
    }

    fn abandon(&mut self) {
        self.expiry.abandon();
    }

    fn apply(&mut self, position: Position, command: Command, _events: &mut Vec<Infallible>) -> Response {
        self.skip(position);
        self.carry_out(command)
    }

    fn skip(&mut self, position: Position) {
        assert!(self.applied < position, "entries are applied once and in order: {position} after {}", self.applied);
        self.applied = position;
    }

    fn applied(&self) -> Position {
        self.applied
    }

    fn read(&self, query: Query) -> Response {
        let revision = self.revision;
        match query {
            Query::Range(request) => self.view().range(&request).map(Answer::Range),
            Query::Txn(request) => self.read_txn(&request).map(Answer::Txn),
            Query::Members => Ok(Answer::Members(self.members.answer())),
            Query::Status => Ok(Answer::Status(self.status())),
            Query::Lease { id, keys } => {
                let lease = self.leases.answer(id, keys).map(|lease| LeaseAnswer { left: self.expiry.left(id), ..lease });
                Ok(Answer::Lease { revision, lease })
            }
            Query::LeaseTally => Ok(Answer::LeaseTally(Box::new(self.expiry.tally))),
            // To look at a lease is no sign of life.
            Query::LeaseRenew { .. } => Ok(Answer::LeaseRenewal(Renewal::NotLeader)),
            Query::Leases => Ok(Answer::Leases { revision, ids: self.expiry.in_order(self.leases.ids()) }),
            Query::HashKv { revision } => self.hash_kv(revision).map(Answer::HashKv),
            Query::CompactionHashes => Ok(Answer::CompactionHashes(self.comparable_hashes())),
        }
    }

    fn attend(&mut self, query: Query) -> Response {
        let Query::LeaseRenew { id } = query else { return self.read(query) };
        let terms = self.leases.get(id).ok_or(KeyspaceError::LeaseNotFound)?;
        Ok(Answer::LeaseRenewal(self.expiry.renew(id, terms, self.applied.index)))
    }

    fn takes_turns(query: &Query) -> bool {
        weight::takes_turns(query)
    }

    fn query_bytes(query: &Query) -> usize {
        weight::of_query(query)
    }

    fn response_weight(response: &Response) -> usize {
        weight::of_response(response)
    }

    fn lead(&mut self, now: Instant) {
        self.expiry.lead(now, &self.leases);
    }

    fn deadline(&self) -> Instant {
        self.expiry.deadline()
    }

    fn due(&mut self, now: Instant) -> Vec<Command> {
        self.expiry.due(now, &self.leases)
    }

    fn begin_snapshot(&mut self) -> Cursor {
        self.begin()
    }

    fn snapshot_chunk(&self, cursor: &mut Cursor, budget: usize) -> Option<Bytes> {
        self.chunk(cursor, budget)
    }

    fn end_snapshot(&mut self, cursor: Cursor) {
        self.end(cursor);
    }
}

impl<V: Values + Default> Restore for Keyspace<V> {
    fn restore(chunks: &mut dyn Iterator<Item = Bytes>) -> Result<Keyspace<V>, RestoreError> {
        Keyspace::restore_into(V::default(), chunks)
    }
}

impl<V: Values> fmt::Debug for Keyspace<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyspace")
            .field("applied", &self.applied)
            .field("revision", &self.revision)
            .field("compacted", &self.compacted)
            .field("keys", &self.index.alive())
            .finish_non_exhaustive()
    }
}
