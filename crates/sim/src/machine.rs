//! A small map as state machine, which knows what it was given and can prove it.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use consensus::{Instant, NodeId, Position, Restore, RestoreError, StateMachine, Wall};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::rc::Rc;

/// What a client wants done. Each carries a number that no other has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Command {
    /// The operation's number, from 1.
    pub(crate) op: u64,
    /// Which register.
    pub(crate) key: u16,
    /// What to do with it.
    pub(crate) change: Change,
    /// So many bytes of ballast, so that messages and segments fill up.
    pub(crate) ballast: u16,
    /// Where it is to stand in the log, once a leader has prepared it.
    pub(crate) at: Position,
}

/// What to do with a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// Put a value there.
    Put(u64),
    /// Put `new` there if it holds `old`.
    CompareAndSwap {
        /// What must be there.
        old: u64,
        /// What is to be there.
        new: u64,
    },
}

/// The answer to a write or a read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Response {
    /// The register holds (before the write) this value; 0 if nothing was put there.
    Held(u64),
}

/// Registers that only applied commands change. `F` says what its snapshots look like.
pub(crate) struct Map<F> {
    /// Shared with snapshots in progress; copied when it changes under one.
    registers: Rc<BTreeMap<u16, u64>>,
    applied: Position,
    /// A hash over everything ever applied, in order.
    digest: u64,
    /// Whose machine this is, in the eyes of the ghost.
    watcher: Option<(usize, Rc<dyn Witness>)>,
    form: PhantomData<F>,
}

/// A state machine that the world can try: clients see it as registers.
pub(crate) trait Face: StateMachine + 'static {
    /// Whether registers can be compared and swapped.
    const SWAPS: bool;

    /// From now on the ghost hears of everything that is applied.
    fn watch(&mut self, member: usize, witness: Rc<dyn Witness>);
    /// The same wherever the same was applied. `None` while the machine is that of no one moment: see
    /// [`StateMachine::begin_snapshot`].
    fn digest(&self) -> Option<u64>;
    /// It came from a peer, and all that came with it has been applied: it is the machine of one moment from now on.
    fn settle(&mut self) {}
    /// A client's write, as a client of `member`.
    fn request(member: usize, command: Command) -> Self::Request;
    /// A client's read.
    fn query(member: usize, key: u16) -> Self::Query;
    /// What an answer tells of a register. An error if it tells of none.
    fn told(response: &Self::Response) -> Result<Told, String>;
}

/// One that begins with nothing, and is kept in snapshots.
pub(crate) trait InMemory: Face + Restore {
    /// A machine to which nothing was applied.
    fn fresh() -> Self;
}

impl<F: Form> InMemory for Map<F> {
    fn fresh() -> Map<F> {
        Map::new()
    }
}

/// What an answer tells of a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Told {
    /// What it holds, or held before the write.
    pub(crate) held: Option<u64>,
    /// How often it was written.
    pub(crate) version: Option<u64>,
}

impl<F: Form> Face for Map<F> {
    const SWAPS: bool = true;

    fn watch(&mut self, member: usize, witness: Rc<dyn Witness>) {
        self.watcher = Some((member, witness));
    }

    fn digest(&self) -> Option<u64> {
        Some(self.digest)
    }

    fn request(_member: usize, command: Command) -> Command {
        command
    }

    fn query(_member: usize, key: u16) -> u16 {
        key
    }

    fn told(&Response::Held(held): &Response) -> Result<Told, String> {
        Ok(Told { held: Some(held), version: None })
    }
}

/// Who hears of everything that is applied.
pub(crate) trait Witness {
    /// The machine of `member` applied (or skipped) what stands at `position`, and has this digest, unless it is still fuzzy.
    fn applied(&self, member: usize, position: Position, op: u64, digest: Option<u64>);
    /// The epoch in which `member` is.
    fn epoch(&self, member: usize) -> u64;
    /// The world's time.
    fn time(&self) -> Instant;
}

/// A snapshot in progress: the registers as they were, and the first not yet given.
#[derive(Debug)]
pub(crate) struct Cursor {
    pub(crate) registers: Rc<BTreeMap<u16, u64>>,
    pub(crate) applied: Position,
    pub(crate) digest: u64,
    pub(crate) headed: bool,
    pub(crate) next: Option<u16>,
    pub(crate) ended: bool,
}

/// What a snapshot of the map looks like.
pub(crate) trait Form: 'static {
    /// What comes before the registers.
    fn head(cursor: &Cursor, chunk: &mut BytesMut);
    /// A register.
    fn register(cursor: &Cursor, key: u16, value: u64, chunk: &mut BytesMut);
    /// The most bytes that one takes.
    const REGISTER: usize;
    /// What comes after them.
    fn end(chunk: &mut BytesMut);
    /// All of it.
    fn read(whole: Bytes) -> Result<Content, RestoreError>;
}

/// What a snapshot says.
pub(crate) struct Content {
    pub(crate) applied: Position,
    pub(crate) digest: u64,
    pub(crate) registers: BTreeMap<u16, u64>,
}

/// The bare form:
///
/// ```text
/// term: 8 | index: 8 | digest: 8 | (key: 2 | value: 8)*
/// ```
#[derive(Debug)]
pub(crate) struct Bare;

/// Bytes of the bare form's head.
const HEAD: usize = 24;

impl Form for Bare {
    const REGISTER: usize = 10;

    fn head(cursor: &Cursor, chunk: &mut BytesMut) {
        chunk.put_u64(cursor.applied.epoch);
        chunk.put_u64(cursor.applied.index);
        chunk.put_u64(cursor.digest);
    }

    fn register(_cursor: &Cursor, key: u16, value: u64, chunk: &mut BytesMut) {
        chunk.put_u16(key);
        chunk.put_u64(value);
    }

    fn end(_chunk: &mut BytesMut) {}

    fn read(whole: Bytes) -> Result<Content, RestoreError> {
        let length = whole.len();
        if length < HEAD {
            return Err(wrong(length, "a head of 24 bytes"));
        }
        if !(length - HEAD).is_multiple_of(Bare::REGISTER) {
            return Err(wrong(length, "whole registers of 10 bytes"));
        }
        let mut rest = whole;
        let applied = Position::new(rest.get_u64(), rest.get_u64());
        let digest = rest.get_u64();
        let mut registers = BTreeMap::new();
        while rest.has_remaining() {
            let key = rest.get_u16();
            registers.insert(key, rest.get_u64());
        }
        Ok(Content { applied, digest, registers })
    }
}

/// A snapshot that cannot be understood.
pub(crate) fn wrong(offset: usize, expected: &str) -> RestoreError {
    RestoreError { offset: offset as u64, expected: expected.into() }
}

impl<F: Form> Map<F> {
    /// A machine to which nothing was applied.
    pub(crate) fn new() -> Map<F> {
        let registers = Rc::new(BTreeMap::new());
        Map { registers, applied: Position::ZERO, digest: 0, watcher: None, form: PhantomData }
    }

    fn tell(&self, op: u64) {
        if let Some((member, witness)) = &self.watcher {
            witness.applied(*member, self.applied, op, Some(self.digest));
        }
    }
}

/// What a write does to a register that holds `held`: the model of the linearizability check, too.
pub(crate) fn change(held: u64, change: Change) -> u64 {
    match change {
        Change::Put(new) => new,
        Change::CompareAndSwap { old, new } if old == held => new,
        Change::CompareAndSwap { .. } => held,
    }
}

impl<F: Form> StateMachine for Map<F> {
    type Request = Command;
    type Command = Command;
    type Query = u16;
    type Response = Response;
    type Event = Infallible;
    type Cursor = Cursor;

    fn prepare(&mut self, next: Position, _wall: Wall, _from: NodeId, request: Command) -> Command {
        Command { at: next, ..request }
    }

    fn abandon(&mut self) {}

    fn apply(&mut self, position: Position, command: Command, _events: &mut Vec<Infallible>) -> Response {
        let held = self.registers.get(&command.key).copied().unwrap_or(0);
        let new = change(held, command.change);
        if new != held {
            Rc::make_mut(&mut self.registers).insert(command.key, new);
        }
        self.applied = position;
        self.digest = mix(mix(self.digest, command.op), new);
        self.tell(command.op);
        Response::Held(held)
    }

    fn skip(&mut self, position: Position) {
        self.applied = position;
        self.digest = mix(self.digest, 0);
        self.tell(0);
    }

    fn applied(&self) -> Position {
        self.applied
    }

    fn read(&self, key: u16) -> Response {
        Response::Held(self.registers.get(&key).copied().unwrap_or(0))
    }

    fn lead(&mut self, _now: Instant) {}

    fn deadline(&self) -> Instant {
        Instant::NEVER
    }

    fn due(&mut self, _now: Instant) -> Vec<Command> {
        Vec::new()
    }

    fn begin_snapshot(&mut self) -> Cursor {
        let Map { registers, applied, digest, .. } = self;
        let registers = Rc::clone(registers);
        Cursor { registers, applied: *applied, digest: *digest, headed: false, next: Some(0), ended: false }
    }

    fn snapshot_chunk(&self, cursor: &mut Cursor, budget: usize) -> Option<Bytes> {
        let mut chunk = BytesMut::new();
        if !std::mem::replace(&mut cursor.headed, true) {
            F::head(cursor, &mut chunk);
        }
        while let Some(first) = cursor.next
            && (chunk.is_empty() || chunk.len() + F::REGISTER <= budget)
        {
            let Some((&key, &value)) = cursor.registers.range(first..).next() else {
                cursor.next = None;
                break;
            };
            F::register(cursor, key, value, &mut chunk);
            cursor.next = key.checked_add(1);
        }
        if cursor.next.is_none() && !std::mem::replace(&mut cursor.ended, true) {
            F::end(&mut chunk);
        }
        (!chunk.is_empty()).then(|| chunk.freeze())
    }

    fn end_snapshot(&mut self, _cursor: Cursor) {}
}

impl<F: Form> Restore for Map<F> {
    fn restore(chunks: &mut dyn Iterator<Item = Bytes>) -> Result<Map<F>, RestoreError> {
        let mut whole = BytesMut::new();
        for chunk in chunks {
            whole.extend_from_slice(&chunk);
        }
        let Content { applied, digest, registers } = F::read(whole.freeze())?;
        Ok(Map { registers: Rc::new(registers), applied, digest, watcher: None, form: PhantomData })
    }
}

/// Folds `value` into `hash`: a multiply and a rotation, cheap and good enough to tell runs apart.
pub(crate) fn mix(hash: u64, value: u64) -> u64 {
    (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_of_the_moment_it_began() {
        let mut map = Map::<Bare>::new();
        let put = |op, key, value| Command { op, key, change: Change::Put(value), ballast: 0, at: Position::ZERO };
        for op in 1..=20 {
            map.apply(Position::new(1, op), put(op, op as u16, op * 10), &mut Vec::new());
        }
        let mut cursor = map.begin_snapshot();
        let (applied, digest) = (map.applied(), map.digest());
        let mut chunks = vec![map.snapshot_chunk(&mut cursor, 40).unwrap()];
        map.apply(Position::new(1, 21), put(21, 20, 7), &mut Vec::new());
        while let Some(chunk) = map.snapshot_chunk(&mut cursor, 40) {
            chunks.push(chunk);
        }
        assert!(chunks.len() > 3, "{}", chunks.len());
        let restored = Map::<Bare>::restore(&mut chunks.into_iter()).unwrap();
        assert_eq!((restored.applied(), restored.digest()), (applied, digest));
        assert_eq!(restored.read(20), Response::Held(200));
        assert_eq!(map.read(20), Response::Held(7));
    }
}
