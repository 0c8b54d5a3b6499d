//! The machine that a snapshot holds. See [`crate::snapshot`] for the layout.
//!
//! The bytes come from a disk or a peer, so nothing in them is believed: every length is met by bytes that have arrived before
//! memory is taken for it, and a history that could not have happened is refused.

use crate::alarms::{Alarms, Guard};
use crate::checksum::Checksum;
use crate::history::Mark;
use crate::leases::Terms;
use crate::members::Members;
use crate::snapshot::{MAGIC, VERSION, alarm_number, kind};
use crate::{Alarm, AlarmKind, Change, Downgrade, KeyValue, Keyspace, Member, Revision, Values};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::{Buf, Bytes};
use consensus::{Position, RestoreError};

/// Revisions and versions are counted on from what is restored; this leaves room.
pub(crate) const MAX_COUNT: i64 = i64::MAX / 2;

impl<V: Values> Keyspace<V> {
    /// The machine that a snapshot holds, from its pieces in order (their borders may have moved). Its changes go into `values`, one
    /// by one.
    pub fn restore_into(values: V, chunks: &mut dyn Iterator<Item = Bytes>) -> Result<Keyspace<V>, RestoreError> {
        let mut source = Source::begin(chunks)?;
        let (head, mut frame, mut before) = Head::read(&mut source)?;
        let mut keyspace = Keyspace::with(values);
        head.put_into(&mut keyspace);
        let mut restoring = Restoring { keyspace, last_lease: None, next: Revision::default() };
        let mut last_kind = kind::LEASE;
        loop {
            // The three kinds that tell the history may alternate.
            let stage = frame.kind.clamp(kind::HEADER, kind::PUT);
            if stage < last_kind {
                return Err(expected(frame.offset, "frames in their order"));
            }
            last_kind = stage;
            match frame.kind {
                kind::LEASE => restoring.lease(&mut frame)?,
                kind::PUT => restoring.put(&mut frame)?,
                kind::DELETION => restoring.deletion(&mut frame)?,
                kind::REACHED => restoring.advance(&mut frame)?,
                kind::END => {
                    if frame.u32()? != before {
                        return Err(expected(frame.offset, "the checksum of what came before"));
                    }
                    frame.end()?;
                    if !source.is_at_end() {
                        return Err(expected(source.offset, "nothing more"));
                    }
                    let Restoring { mut keyspace, .. } = restoring;
                    let attached = keyspace.attach_keys();
                    attached.map_err(|()| expected(source.offset, "every lease that a key is attached to"))?;
                    return Ok(keyspace);
                }
                _ => return Err(expected(frame.offset, "a known kind of frame")),
            }
            frame.end()?;
            before = source.checksum.value();
            frame = source.frame()?;
        }
    }
}

/// The beginning of a snapshot: everything in it that is small.
#[derive(Debug)]
pub struct Head {
    /// The last entry whose effect the snapshot holds.
    pub applied: Position,
    /// The newest revision.
    pub revision: i64,
    /// The last compaction.
    pub compacted: i64,
    /// The members, in order of id.
    pub members: Vec<Member>,
    removed: BTreeSet<u64>,
    alarms: BTreeSet<Alarm>,
    guard: Guard,
    downgrade: Downgrade,
    cluster_version: Option<String>,
}

impl Head {
    /// Reads a head that stands alone.
    pub fn decode(bytes: &Bytes) -> Result<Head, RestoreError> {
        // A frame of another kind ends it.
        let mut chunks = [bytes.clone(), Bytes::from_static(&[kind::END, 0, 0, 0, 0])].into_iter();
        let mut source = Source::begin(&mut chunks)?;
        let (head, end, _) = Head::read(&mut source)?;
        end.check(end.offset == bytes.len() as u64 && source.is_at_end(), "nothing more")?;
        Ok(head)
    }

    /// Reads the head, the first frame after it, and the checksum of what came before that.
    fn read(source: &mut Source<'_>) -> Result<(Head, Frame, u32), RestoreError> {
        let mut header = source.frame()?;
        if header.kind != kind::HEADER {
            return Err(expected(header.offset, "a header"));
        }
        let mut head = Head::begin(&mut header)?;
        header.end()?;
        let mut last_kind = kind::HEADER;
        loop {
            let before = source.checksum.value();
            let mut frame = source.frame()?;
            if frame.kind <= kind::HEADER || frame.kind < last_kind {
                return Err(expected(frame.offset, "frames in their order"));
            }
            last_kind = frame.kind;
            match frame.kind {
                kind::MEMBER => head.member(&mut frame)?,
                kind::REMOVED => head.removed(&mut frame)?,
                kind::ALARM => head.alarm(&mut frame)?,
                _ => return Ok((head, frame, before)),
            }
            frame.end()?;
        }
    }

    fn begin(header: &mut Frame) -> Result<Head, RestoreError> {
        let applied = Position::new(header.u64()?, header.u64()?);
        let revision = header.i64()?;
        let compacted = header.i64()?;
        header.check((1..=MAX_COUNT).contains(&revision), "a revision")?;
        header.check((-1..=revision).contains(&compacted), "a compaction in the past")?;
        let guard = match header.u8()? {
            0 => Guard::Open,
            1 => Guard::Capped,
            2 => Guard::Corrupt,
            _ => return Err(expected(header.offset, "a guard")),
        };
        let downgrade = Downgrade { enabled: header.flag()?, version: header.string()? };
        let cluster_version = Some(header.string()?).filter(|version| !version.is_empty());
        let (members, removed, alarms) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        Ok(Head { applied, revision, compacted, members, removed, alarms, guard, downgrade, cluster_version })
    }

    fn member(&mut self, frame: &mut Frame) -> Result<(), RestoreError> {
        let id = frame.u64()?;
        frame.check(self.members.last().is_none_or(|last| last.id < id), "members in order")?;
        let is_learner = frame.flag()?;
        let name = frame.string()?;
        let (peer_urls, client_urls) = (frame.strings()?, frame.strings()?);
        self.members.push(Member { id, name, peer_urls, client_urls, is_learner });
        Ok(())
    }

    fn removed(&mut self, frame: &mut Frame) -> Result<(), RestoreError> {
        let id = frame.u64()?;
        frame.check(self.removed.last().is_none_or(|&last| last < id), "removed members in order")?;
        frame.check(self.members.binary_search_by_key(&id, |member| member.id).is_err(), "a member that is gone")?;
        self.removed.insert(id);
        Ok(())
    }

    fn alarm(&mut self, frame: &mut Frame) -> Result<(), RestoreError> {
        let number = frame.u8()?;
        let known = [AlarmKind::NoSpace, AlarmKind::Corrupt].into_iter().find(|&kind| alarm_number(kind) == number);
        let Some(alarm) = known else { return Err(expected(frame.offset, "an alarm")) };
        let alarm = Alarm { alarm, member: frame.u64()? };
        frame.check(self.alarms.last().is_none_or(|&last| last < alarm), "alarms in order")?;
        self.alarms.insert(alarm);
        Ok(())
    }

    pub(crate) fn put_into<V: Values>(self, keyspace: &mut Keyspace<V>) {
        let Head { applied, revision, compacted, members, removed, alarms, guard, downgrade, cluster_version } = self;
        (keyspace.applied, keyspace.revision, keyspace.compacted) = (applied, revision, compacted);
        keyspace.members = Members::from_parts(members, removed);
        keyspace.alarms = Alarms::from_parts(alarms, guard);
        (keyspace.downgrade, keyspace.cluster_version) = (downgrade, cluster_version);
    }
}

/// A machine in the making.
struct Restoring<V> {
    keyspace: Keyspace<V>,
    last_lease: Option<i64>,
    /// No change before this one may follow.
    next: Revision,
}

impl<V: Values> Restoring<V> {
    fn lease(&mut self, frame: &mut Frame) -> Result<(), RestoreError> {
        let id = frame.i64()?;
        frame.check(id != 0 && self.last_lease.is_none_or(|last| last < id), "leases in order")?;
        self.last_lease = Some(id);
        self.keyspace.leases.restore(id, Terms { ttl: frame.i64()?, remaining_ttl: frame.i64()? });
        Ok(())
    }

    fn put(&mut self, frame: &mut Frame) -> Result<(), RestoreError> {
        let at = self.revision(frame)?;
        let mark = Mark { at, created: frame.i64()?, version: frame.i64()? };
        frame.check((1..=at.main).contains(&mark.created), "a creation in the past")?;
        frame.check((1..=MAX_COUNT).contains(&mark.version), "a version")?;
        let lease = frame.i64()?;
        let key = self.change(frame, mark, lease)?;
        let value = Bytes::copy_from_slice(&frame.bytes()?);
        let (create_revision, mod_revision, version) = (mark.created, at.main, mark.version);
        let kv = KeyValue { key, create_revision, mod_revision, version, value, lease };
        self.keyspace.values.put(at, Change::Put(kv));
        Ok(())
    }

    fn deletion(&mut self, frame: &mut Frame) -> Result<(), RestoreError> {
        let at = self.revision(frame)?;
        let key = self.change(frame, Mark::deletion(at), 0)?;
        self.keyspace.values.put(at, Change::Delete { key });
        Ok(())
    }

    /// Reads the key that follows and enters the change into the index.
    fn change(&mut self, frame: &mut Frame, mark: Mark, lease: i64) -> Result<Bytes, RestoreError> {
        let key = frame.bytes()?;
        let entered = self.keyspace.index.restore(&key, mark, lease, self.keyspace.compacted);
        self.next = Revision::new(mark.at.main, mark.at.sub + 1);
        entered.ok_or_else(|| expected(frame.offset, "a change that fits the history of its key"))
    }

    fn advance(&mut self, frame: &mut Frame) -> Result<(), RestoreError> {
        self.next = self.revision(frame)?;
        Ok(())
    }

    fn revision(&self, frame: &mut Frame) -> Result<Revision, RestoreError> {
        let at = Revision::new(frame.i64()?, frame.i64()?);
        let possible = (1..=self.keyspace.revision).contains(&at.main) && (0..MAX_COUNT).contains(&at.sub);
        frame.check(possible && at >= self.next, "the next revision")?;
        Ok(at)
    }
}

/// The pieces as one stream.
struct Source<'a> {
    chunks: &'a mut dyn Iterator<Item = Bytes>,
    current: Bytes,
    offset: u64,
    checksum: Checksum,
}

impl<'a> Source<'a> {
    fn begin(chunks: &'a mut dyn Iterator<Item = Bytes>) -> Result<Source<'a>, RestoreError> {
        let mut source = Source { chunks, current: Bytes::new(), offset: 0, checksum: Checksum::new() };
        if source.take(MAGIC.len())? != MAGIC[..] {
            return Err(expected(0, "a snapshot of a Quorate keyspace"));
        }
        if source.number()? != VERSION {
            return Err(expected(MAGIC.len() as u64, "version 1"));
        }
        Ok(source)
    }

    fn frame(&mut self) -> Result<Frame, RestoreError> {
        let offset = self.offset;
        let kind = self.take(1)?[0];
        let length = self.number()?;
        let payload = self.take(length as usize)?;
        Ok(Frame { kind, offset, payload })
    }

    fn number(&mut self) -> Result<u32, RestoreError> {
        Ok(self.take(4)?.get_u32_le())
    }

    /// The next `length` bytes. Whatever `length` says, no more memory is taken than bytes have come.
    fn take(&mut self, length: usize) -> Result<Bytes, RestoreError> {
        let mut gathered = Vec::new();
        let taken = loop {
            let missing = length - gathered.len();
            if gathered.is_empty() && self.current.len() >= missing {
                break self.current.split_to(missing);
            }
            let part = self.current.split_to(missing.min(self.current.len()));
            gathered.extend_from_slice(&part);
            if gathered.len() == length {
                break gathered.into();
            }
            match self.chunks.next() {
                Some(chunk) => self.current = chunk,
                None => return Err(expected(self.offset + gathered.len() as u64, "more bytes")),
            }
        };
        self.offset += length as u64;
        self.checksum.update(&taken);
        Ok(taken)
    }

    fn is_at_end(&mut self) -> bool {
        while self.current.is_empty() {
            match self.chunks.next() {
                Some(chunk) => self.current = chunk,
                None => return true,
            }
        }
        false
    }
}

/// A frame, of which less and less is left.
struct Frame {
    kind: u8,
    offset: u64,
    payload: Bytes,
}

impl Frame {
    fn take(&mut self, length: usize) -> Result<Bytes, RestoreError> {
        self.check(length <= self.payload.len(), "a longer frame")?;
        Ok(self.payload.split_to(length))
    }

    fn u8(&mut self) -> Result<u8, RestoreError> {
        Ok(self.take(1)?[0])
    }

    fn flag(&mut self) -> Result<bool, RestoreError> {
        Ok(self.u8()? != 0)
    }

    fn u32(&mut self) -> Result<u32, RestoreError> {
        Ok(self.take(4)?.get_u32_le())
    }

    fn u64(&mut self) -> Result<u64, RestoreError> {
        Ok(self.take(8)?.get_u64_le())
    }

    fn i64(&mut self) -> Result<i64, RestoreError> {
        Ok(self.take(8)?.get_i64_le())
    }

    fn bytes(&mut self) -> Result<Bytes, RestoreError> {
        let length = self.u32()?;
        self.take(length as usize)
    }

    fn string(&mut self) -> Result<String, RestoreError> {
        let bytes = self.bytes()?;
        String::from_utf8(bytes.to_vec()).map_err(|_| expected(self.offset, "text"))
    }

    fn strings(&mut self) -> Result<Vec<String>, RestoreError> {
        (0..self.u32()?).map(|_| self.string()).collect()
    }

    fn end(&self) -> Result<(), RestoreError> {
        self.check(self.payload.is_empty(), "a shorter frame")
    }

    fn check(&self, holds: bool, what: &str) -> Result<(), RestoreError> {
        if holds { Ok(()) } else { Err(expected(self.offset, what)) }
    }
}

fn expected(offset: u64, what: &str) -> RestoreError {
    RestoreError { offset, expected: what.into() }
}
