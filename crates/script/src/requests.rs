//! Clients' writes and reads, and their answers.

use crate::client::Pending;
use crate::invariant::Violation;
use crate::machine::Machine;
use crate::protocol::{Outcome, Protocol};
use crate::words;
use crate::world::World;
use bytes::Bytes;
use consensus::{Consensus, Entry, EntryKind, Input, NodeId, Note, Position, ReadId};
use std::error::Error;

impl<P: Protocol> World<P> {
    /// A client of `id` writes. A follower forwards to the leader that it knows.
    pub(crate) fn write(&mut self, id: NodeId, commands: Vec<Bytes>) -> Outcome {
        let member = self.running(id)?;
        let leader = member.role.leader(id).filter(|&leader| leader != id);
        match (member.core().next(), leader) {
            (None, Some(leader)) => {
                let requests = commands.into_iter().map(|data| (EntryKind::Command, data)).collect();
                self.step(id, Input::Tell { to: leader, note: Note::Request(requests) })
            }
            _ => self.propose_here(id, commands, id),
        }
    }

    /// Proposes at `id`, if it may propose, what clients of `asked` want.
    pub(crate) fn propose_here(&mut self, id: NodeId, commands: Vec<Bytes>, asked: NodeId) -> Outcome {
        let Some(Position { epoch, index }) = self.running(id)?.core().next() else {
            self.say(format!("{id} refuses: it may not propose"));
            return Ok(());
        };
        for (position, data) in (index..).map(|index| Position::new(epoch, index)).zip(&commands) {
            self.clients.writes.insert((asked, position), words::command(data));
        }
        self.step(id, Input::Propose { commands })
    }

    /// The client whose write this was is answered by the member that it asked.
    pub(crate) fn answer_write(&mut self, id: NodeId, entry: &Entry) -> Outcome {
        let Some(told) = self.clients.writes.remove(&(id, entry.position)) else { return Ok(()) };
        match self.clients.log_reads.remove(&told) {
            Some(pending) => self.answer(id, &told, pending),
            None => {
                self.say(format!("{id} answers its client: {told} is done"));
                Ok(())
            }
        }
    }

    /// A client of `id` reads, and wants to see all that was committed when it asked.
    pub(crate) fn read(&mut self, id: NodeId) -> Outcome {
        self.running(id)?;
        let read = self.clients.new_read();
        self.clients.reads.insert((id, read), self.arrival());
        self.step(id, Input::Read { id: read })
    }

    /// A client of `id` reads through the log: its read is an entry like any write.
    pub(crate) fn read_through_the_log(&mut self, id: NodeId) -> Outcome {
        let data = Bytes::from(format!("read {}", self.clients.new_read().0));
        let pending = self.arrival();
        self.clients.log_reads.insert(words::command(&data), pending);
        self.write(id, vec![data])
    }

    /// A client of `id` reads what is there, whatever others may know.
    pub(crate) fn read_locally(&mut self, id: NodeId) -> Outcome {
        let arrival = self.arrival();
        let machine = &self.running(id)?.machine;
        let mut line = format!("{id} answers from what it has: {}", tell_newest(machine));
        if let Some(entry) = self.ghost.newest_missing(machine.count, arrival.committed) {
            line += &format!(" — STALE: {} is committed", words::entries(core::slice::from_ref(entry)));
        }
        self.say(line);
        Ok(())
    }

    /// The protocol lets this read be answered.
    pub(crate) fn answer_read(&mut self, id: NodeId, read: ReadId) -> Outcome {
        match self.clients.reads.remove(&(id, read)) {
            Some(pending) => self.answer(id, &format!("read {}", read.0), pending),
            None => Err(Unasked { member: id, read }.into()),
        }
    }

    fn answer(&mut self, id: NodeId, read: &str, pending: Pending) -> Outcome {
        let machine = &self.member(id)?.machine;
        if let Some(entry) = self.ghost.missing(machine.count, pending.committed) {
            return Err(Violation::StaleRead { member: id, entry: entry.clone() }.into());
        }
        self.say(format!("{id} answers {read}: {}", tell_newest(&self.members[&id].machine)));
        Ok(())
    }

    fn arrival(&self) -> Pending {
        Pending { committed: self.ghost.committed() }
    }
}

fn tell_newest(machine: &Machine) -> String {
    machine.newest.as_ref().map_or("nothing was ever written".into(), words::command)
}

/// The protocol answers a read that nobody waits for.
#[derive(Debug)]
struct Unasked {
    member: NodeId,
    read: ReadId,
}

impl core::fmt::Display for Unasked {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} answers read {}, which nobody waits for", self.member, self.read.0)
    }
}

impl Error for Unasked {}
