//! Clients call, and give up.

use crate::machine::Face;
use crate::subject::{Machine, Subject};
use crate::workload::Call;
use crate::world::{Occasion, World};
use replica::{Event, Token};
use std::time::Duration;

impl<P: Subject> World<P> {
    /// A client calls the member that it knows.
    pub(crate) fn on_client(&mut self, client: usize) {
        if self.quiet {
            return;
        }
        let member = self.workload.member[client];
        if self.members[member].process.is_none() {
            // Nobody listens there: it tries another.
            self.workload.turn_elsewhere(client, self.members.len());
            let after = self.chance.between(Duration::from_millis(1), Duration::from_millis(50));
            return self.after(after, Occasion::ClientActs { client });
        }
        let calls = self.workload.wave(client, self.now);
        self.call(member, calls);
    }

    /// These calls go to a member; who made them gives up after a while.
    pub(crate) fn call(&mut self, member: usize, calls: Vec<Call>) {
        let patience = self.workload.patience();
        for call in &calls {
            let op = call.op();
            self.after(patience, Occasion::ClientGivesUp { op });
        }
        let life = self.members[member].life;
        let travel = self.chance.between(Duration::from_micros(50), Duration::from_micros(400));
        self.after(travel, Occasion::Called { member, life, calls });
    }

    pub(crate) fn on_called(&mut self, member: usize, life: u64, calls: Vec<Call>) {
        if !self.lives(member, life) {
            return;
        }
        if P::SESSIONS && !self.admits(member, &calls) {
            return self.turn_away(calls);
        }
        let floor = self.ghost.borrow().committed.len() as u64;
        let (mut requests, mut queries, mut looks) = (Vec::new(), Vec::new(), Vec::new());
        for call in calls {
            self.workload.arrived(call.op(), floor);
            self.trace.note(self.now, call.op() << 8 | 15, || format!("m{} is asked: {}", member + 1, crate::words::ask(&call)));
            match call {
                Call::Write(op, command) => requests.push((Token(op), Machine::<P>::request(member, command))),
                Call::Read(op, key) => queries.push((Token(op), Machine::<P>::query(member, key))),
                Call::Look(op, key) => looks.push((Token(op), Machine::<P>::query(member, key))),
            }
        }
        if !requests.is_empty() {
            self.feed(member, Event::Requests(requests));
        }
        if !queries.is_empty() && self.lives(member, life) {
            self.feed(member, Event::Queries(queries));
        }
        for (token, key) in looks {
            if self.lives(member, life) {
                self.feed(member, Event::LocalQuery(token, key));
            }
        }
    }

    /// A server that does not serve lets its clients go, and refuses who has seen more than it has applied (ZooKeeper:
    /// `lastZxidSeen`).
    fn admits(&self, member: usize, calls: &[Call]) -> bool {
        let seen = calls.first().map_or(0, |call| self.workload.seen_by(call.op()));
        let applied = self.ghost.borrow().members[member].applied;
        self.members[member].process.as_ref().is_some_and(|process| process.replica.serving()) && applied >= seen
    }

    /// Whoever called is not served there.
    fn turn_away(&mut self, calls: Vec<Call>) {
        let clients: Vec<usize> = calls.iter().filter_map(|call| self.workload.give_up(call.op())).collect();
        for client in clients {
            self.workload.turn_elsewhere(client, self.members.len());
            let after = self.chance.between(Duration::from_millis(5), Duration::from_millis(50));
            self.after(after, Occasion::ClientActs { client });
        }
    }

    pub(crate) fn on_give_up(&mut self, op: u64) {
        if let Some(client) = self.workload.give_up(op) {
            self.workload.turn_elsewhere(client, self.members.len());
            let think = self.workload.think();
            self.after(think, Occasion::ClientActs { client });
        }
    }
}
