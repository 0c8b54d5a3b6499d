//! Clients: what they ask for, what they are told, and what they never learn.

use crate::ghost::Ghost;
use crate::invariant::Invariant;
use crate::linear::{self, Done};
use crate::machine::{Change, Command, Face, Told};
use crate::plan::Load;
use crate::subject::{Machine, ResponseOf, Subject};
use consensus::{Chance, Instant, Position};
use replica::{Answer, Refusal};

/// All clients and all that they ever asked for.
#[derive(Debug)]
pub(crate) struct Workload {
    load: Load,
    chance: Chance,
    /// By number, from 1; the first is not used.
    operations: Vec<Operation>,
    /// For each client: its operations without an answer.
    pub(crate) open: Vec<Vec<u64>>,
    /// For each client: the member that it asks.
    pub(crate) member: Vec<usize>,
    /// For each client: the last place that it was told of.
    seen: Vec<u64>,
    /// The value that the next write puts.
    next_value: u64,
    /// Operations that were answered with success.
    pub(crate) answered: u64,
}

/// One operation.
#[derive(Clone, Copy, Debug)]
struct Operation {
    client: usize,
    key: u16,
    change: Option<Change>,
    called: Instant,
    /// Entries that were committed anywhere when it was called.
    floor: u64,
    /// It reads what one member holds, which need not be the newest.
    looks: bool,
    /// Nobody has seen anything before it.
    probes: bool,
    outcome: Outcome,
}

/// How an operation ended, in the eyes of its client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    /// It did not, yet.
    Open,
    /// The client was told what the register held, and where that was so.
    Told { at: Instant, told: Told, place: u64 },
    /// It was refused.
    Refused(Refusal),
    /// The client gave up.
    GaveUp,
}

/// What a client asks of a member.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    /// A write.
    Write(u64, Command),
    /// A linearizable read: its number and its key.
    Read(u64, u16),
    /// A read of what this member holds, whatever others do.
    Look(u64, u16),
}

impl Call {
    /// The number of its operation.
    pub(crate) fn op(&self) -> u64 {
        match self {
            Call::Write(op, _) | Call::Read(op, _) | Call::Look(op, _) => *op,
        }
    }
}

impl Workload {
    pub(crate) fn new(load: Load, members: usize, mut chance: Chance) -> Workload {
        let unused = Operation {
            client: 0,
            key: 0,
            change: None,
            called: Instant::ZERO,
            floor: 0,
            looks: false,
            probes: false,
            outcome: Outcome::GaveUp,
        };
        Workload {
            load,
            operations: vec![unused],
            open: vec![Vec::new(); load.clients],
            seen: vec![0; load.clients],
            member: (0..load.clients).map(|_| chance.below(members as u64) as usize).collect(),
            next_value: 1,
            answered: 0,
            chance,
        }
    }

    /// A client calls: some operations at once.
    pub(crate) fn wave(&mut self, client: usize, now: Instant) -> Vec<Call> {
        let count = 1 + self.chance.below(self.load.wave);
        (0..count)
            .map(|_| if self.chance.below(100) < self.load.reads { self.read(client, now) } else { self.write(client, now) })
            .collect()
    }

    /// A read more.
    pub(crate) fn read(&mut self, client: usize, now: Instant) -> Call {
        let (op, key) = self.begin(client, now, None);
        if self.load.looks > 0 && self.chance.below(100) < self.load.looks {
            self.operations[op as usize].looks = true;
            return Call::Look(op, key);
        }
        Call::Read(op, key)
    }

    /// A write and a read of all that is committed, of somebody whom no server knows.
    pub(crate) fn probe(&mut self, now: Instant) -> Vec<Call> {
        let write = self.write(0, now);
        let (op, key) = self.begin(0, now, None);
        let calls = vec![write, Call::Read(op, key)];
        for call in &calls {
            self.operations[call.op() as usize].probes = true;
        }
        calls
    }

    /// How much the client of an operation has seen.
    pub(crate) fn seen_by(&self, op: u64) -> u64 {
        let Operation { client, probes, .. } = self.operations[op as usize];
        if probes { 0 } else { self.seen[client] }
    }

    /// A write more.
    pub(crate) fn write(&mut self, client: usize, now: Instant) -> Call {
        let change = self.change();
        let (op, key) = self.begin(client, now, Some(change));
        Call::Write(op, Command { op, key, change, ballast: self.chance.below(self.load.ballast) as u16, at: Position::ZERO })
    }

    fn begin(&mut self, client: usize, now: Instant, change: Option<Change>) -> (u64, u16) {
        let op = self.operations.len() as u64;
        let key = self.chance.below(self.load.keys) as u16;
        self.operations.push(Operation {
            client,
            key,
            change,
            called: now,
            floor: 0,
            looks: false,
            probes: false,
            outcome: Outcome::Open,
        });
        self.open[client].push(op);
        (op, key)
    }

    /// A member was asked, when so many entries were committed anywhere.
    pub(crate) fn arrived(&mut self, op: u64, floor: u64) {
        self.operations[op as usize].floor = floor;
    }

    /// The member that a client asks turned out to be no good: it asks another.
    pub(crate) fn turn_elsewhere(&mut self, client: usize, members: usize) {
        self.member[client] = self.chance.below(members as u64) as usize;
    }

    /// How long a client thinks.
    pub(crate) fn think(&mut self) -> std::time::Duration {
        self.chance.between(std::time::Duration::from_micros(100), self.load.think)
    }

    pub(crate) fn patience(&self) -> std::time::Duration {
        self.load.patience
    }

    fn change(&mut self) -> Change {
        let new = self.next_value;
        self.next_value += 1;
        // Most values that are compared with are recent, so that some swaps succeed.
        if self.load.swaps && self.chance.one_in(1, 3) {
            Change::CompareAndSwap { old: new.saturating_sub(1 + self.chance.below(30)), new }
        } else {
            Change::Put(new)
        }
    }

    /// A member answered. The client, if it waited for this and now waits for nothing more.
    pub(crate) fn answered<P: Subject>(
        &mut self,
        member: usize,
        now: Instant,
        op: u64,
        answer: &Answer<ResponseOf<P>>,
        ghost: &mut Ghost<P>,
    ) -> Option<usize> {
        let operation = &mut self.operations[op as usize];
        let client = operation.client;
        // Whether anything was ever appended there is checked below.
        let told = |position: &Position, response: &ResponseOf<P>, ghost: &mut Ghost<P>| {
            let place = ghost.histories.place(*position).unwrap_or(0);
            let told = Machine::<P>::told(response).unwrap_or_else(|what| {
                ghost.violate(Invariant::AnswersSurvive, format!("operation {op} at {position} failed: {what}"));
                Told { held: None, version: None }
            });
            Outcome::Told { at: now, told, place }
        };
        match answer {
            Answer::Applied(position, _) => ghost.check_answer(op, *position),
            Answer::Read(..) if operation.looks => {}
            Answer::Read(position, _) if P::is_fresh(ghost, member) => ghost.check_read(member, operation.floor, *position),
            Answer::Read(..) => operation.looks = true,
            Answer::Transferred | Answer::Refused(_) => {}
        }
        if operation.outcome != Outcome::Open {
            return None;
        }
        operation.outcome = match answer {
            Answer::Applied(position, response) | Answer::Read(position, response) => {
                self.answered += 1;
                let told = told(position, response, ghost);
                let Outcome::Told { place, .. } = told else { unreachable!("just said") };
                let seen = self.seen[client];
                self.seen[client] = seen.max(place);
                if P::SESSIONS && !operation.probes && place < seen {
                    let what = format!("client {client} had seen place {seen}, and was told by member {} of {place}", member + 1);
                    ghost.violate(Invariant::ReadsNeverGoBack, what);
                }
                told
            }
            Answer::Refused(why) => {
                self.member[client] = self.chance.below(ghost.members.len() as u64) as usize;
                Outcome::Refused(*why)
            }
            Answer::Transferred => unreachable!("no client asks for a transfer"),
        };
        self.close(client, op)
    }

    /// A client waited long enough: it will never know. It asks for something else, elsewhere.
    pub(crate) fn give_up(&mut self, op: u64) -> Option<usize> {
        let operation = &mut self.operations[op as usize];
        if operation.outcome != Outcome::Open {
            return None;
        }
        operation.outcome = Outcome::GaveUp;
        let client = operation.client;
        self.close(client, op)
    }

    fn close(&mut self, client: usize, op: u64) -> Option<usize> {
        let open = &mut self.open[client];
        open.retain(|&other| other != op);
        open.is_empty().then_some(client)
    }

    /// Whether an operation succeeded.
    pub(crate) fn succeeded(&self, op: u64) -> bool {
        matches!(self.operations[op as usize].outcome, Outcome::Told { .. })
    }

    /// How an operation ended, in words.
    pub(crate) fn describe(&self, op: u64) -> String {
        let Operation { client, called, outcome, .. } = &self.operations[op as usize];
        format!("operation {op} of client {client}, called at {called}: {outcome:?}")
    }

    /// After the run: is what clients were told one story? How many operations tell it?
    pub(crate) fn check<P: Subject>(&self, ghost: &mut Ghost<P>, company: Vec<Done>) -> u64 {
        for (op, operation) in (0..).zip(&self.operations) {
            check_refusal(op, operation, ghost);
        }
        let mut story: Vec<Done> = (0..).zip(&self.operations).filter_map(|(op, operation)| done(op, operation, ghost)).collect();
        story.extend(company);
        let count = story.len() as u64;
        if let Err(what) = linear::check(story) {
            ghost.violate(Invariant::Linearizability, what);
        }
        count
    }
}

/// What a refusal promised is kept: "nothing was done". (After a change of leaders nothing is promised: what was forwarded may still
/// be on its way to a member that comes to lead again.)
fn check_refusal<P: Subject>(op: u64, operation: &Operation, ghost: &mut Ghost<P>) {
    if operation.outcome != Outcome::Refused(Refusal::TooManyRequests) {
        return;
    }
    if let Some(place) = ghost.committed_at(op) {
        let what = format!("operation {op} was refused as one too many, and was committed at place {place}");
        ghost.violate(Invariant::AnswersSurvive, what);
    }
}

/// An operation that took effect; of those whose clients do not know, the ghost does.
fn done<P: Subject>(op: u64, operation: &Operation, ghost: &Ghost<P>) -> Option<Done> {
    let Operation { key, change, mut called, looks, outcome, .. } = *operation;
    if looks {
        // It may be old, but not wrong: as if it had been asked long ago, and answered now.
        called = Instant::ZERO;
    }
    let (answered, told, place) = match (outcome, change) {
        (Outcome::Told { told, place, .. }, None) if looks => (Instant::NEVER, told, place),
        (Outcome::Told { at, told, place }, _) => (at, told, place),
        (_, Some(_)) => (Instant::NEVER, Told { held: None, version: None }, ghost.committed_at(op)?),
        (_, None) => return None,
    };
    let Told { held, version } = told;
    Some(Done { op, key, change, called, answered, held, version, place })
}
