//! Clients with leases: they take one, hang keys on it, keep it alive for a while, and end it or fall silent.

use super::turn::Errand;
use super::{Land, Who};
use crate::invariant::Invariant;
use crate::world::place;
use bytes::Bytes;
use consensus::Instant;
use keyspace::{
    Answer as Found, Command, KeyspaceError, LeaseCheckpoint, LeaseGrantRequest, PutRequest, Query, Renewal, Response,
};
use replica::Answer;
use std::time::Duration;

/// One of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Lessee {
    lease: i64,
    ttl: i64,
    member: usize,
    doing: Doing,
    since: Instant,
    /// When it last heard that its lease lives.
    heard: Instant,
    /// Signs of life that it asked to be sent: this is the last.
    asked: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Doing {
    /// It has no lease.
    #[default]
    Nothing,
    /// It asked for one.
    Taking(u64),
    /// It has one.
    Holding,
    /// It hangs a key on it.
    Hanging(u64),
    /// It sends a sign of life, to whoever leads.
    Renewing(u64),
    /// The leader clears what an earlier checkpoint has left, before it answers: in this term, for a sign of life that came then.
    Clearing { token: u64, term: u64, came: Instant },
    /// It ends its lease.
    Ending(u64),
    /// It does not care any more.
    Silent,
}

const PATIENCE: Duration = Duration::from_secs(2);

impl Land {
    pub(super) fn on_lessee(&mut self, who: usize) {
        self.soon(Errand::Lease(who));
        if self.quiet {
            return;
        }
        let now = self.now;
        let it = &mut self.company.lessees[who];
        let waits = !matches!(it.doing, Doing::Nothing | Doing::Holding | Doing::Silent);
        if waits && now.since(it.since) < PATIENCE {
            return;
        }
        match it.doing {
            Doing::Nothing => self.take_lease(who),
            // It never learns whether there is one.
            Doing::Taking(_) | Doing::Ending(_) => self.company.lessees[who].doing = Doing::Silent,
            Doing::Silent => {
                if self.company.chance.one_in(1, 20) {
                    self.company.lessees[who] = Lessee::default();
                }
            }
            Doing::Holding => self.hold_lease(who),
            Doing::Hanging(_) | Doing::Renewing(_) | Doing::Clearing { .. } => {
                self.company.lessees[who].doing = Doing::Holding;
                if let Some(member) = self.somebody() {
                    self.company.lessees[who].member = member;
                }
            }
        }
    }

    fn take_lease(&mut self, who: usize) {
        let Some(member) = self.somebody() else { return };
        let ttl = [1, 2, 4, 8, 15][self.company.chance.below(5) as usize];
        let lease = 1_000 + self.number() as i64;
        let doing = Doing::Taking(self.next_token());
        self.company.lessees[who] = Lessee { lease, ttl, member, doing, since: self.now, ..Lessee::default() };
        self.ask_for(member, Who::Lessee(who), Command::LeaseGrant(LeaseGrantRequest { id: lease, ttl }));
    }

    fn hold_lease(&mut self, who: usize) {
        let Lessee { lease, ttl, member, heard, .. } = self.company.lessees[who];
        if self.members[member].process.is_none() || self.members[member].paused {
            if let Some(other) = self.somebody() {
                self.company.lessees[who].member = other;
            }
            return;
        }
        let dice = self.company.chance.below(100);
        let third = Duration::from_secs(ttl.unsigned_abs()) / 3;
        self.company.lessees[who].since = self.now;
        match dice {
            0..2 => self.company.lessees[who].doing = Doing::Silent,
            2..4 => {
                self.company.lessees[who].doing = Doing::Ending(self.next_token());
                self.ask_for(member, Who::Lessee(who), Command::LeaseRevoke { id: lease });
            }
            4..25 => {
                self.company.lessees[who].doing = Doing::Hanging(self.next_token());
                let key: Bytes = format!("l/{}/{}", who, self.company.chance.below(4)).into();
                let put = PutRequest { key, value: Bytes::from_static(b"held"), lease, ..PutRequest::default() };
                self.ask_for(member, Who::Lessee(who), Command::Put(put));
            }
            _ if self.now.since(heard) >= third || dice > 95 => self.renew(who, member),
            _ => {}
        }
    }

    /// The number that the next request will have.
    fn next_token(&self) -> u64 {
        crate::subject::COMPANY + self.company.count + 1
    }

    /// A sign of life goes to the member that the client knows, which sends it on to whoever leads (etcd: LeaseHandler).
    fn renew(&mut self, who: usize, member: usize) {
        let asked = self.number();
        let it = &mut self.company.lessees[who];
        (it.doing, it.asked) = (Doing::Renewing(0), asked);
        let Some(process) = &self.members[member].process else { return };
        let Some(leader) = process.replica.status().leader.map(place) else { return };
        if leader == member {
            return self.on_renew(who, member, asked);
        }
        if self.network.passes(member, leader) && self.network.passes(leader, member) {
            let travel = self.company.chance.between(Duration::from_micros(100), Duration::from_millis(30));
            self.send_on(travel, Errand::Renew { who, at: leader, asked });
        }
    }

    pub(super) fn on_renew(&mut self, who: usize, at: usize, asked: u64) {
        let it = &mut self.company.lessees[who];
        if it.asked != asked || it.doing != Doing::Renewing(0) {
            return;
        }
        let lease = it.lease;
        self.company.lessees[who].doing = Doing::Renewing(self.next_token());
        self.query(at, Who::Lessee(who), Query::LeaseRenew { id: lease }, false);
    }

    pub(super) fn tell_lessee(&mut self, who: usize, member: usize, token: u64, answer: Answer<Response>) {
        let Lessee { lease, doing, ttl, .. } = self.company.lessees[who];
        let now = self.now;
        let response = match answer {
            Answer::Applied(position, response) => (position, response),
            Answer::Read(position, response) => (position, response),
            Answer::Refused(_) | Answer::Transferred => {
                // It tries again, elsewhere, when it has lost its patience.
                return;
            }
        };
        let it = &mut self.company.lessees[who];
        match (doing, response) {
            (Doing::Taking(asked), (_, Ok(_))) if asked == token => (it.doing, it.heard) = (Doing::Holding, now),
            (Doing::Hanging(asked), (_, Ok(_))) if asked == token => it.doing = Doing::Holding,
            (Doing::Ending(asked), _) if asked == token => it.doing = Doing::Nothing,
            (Doing::Renewing(asked), (_, Ok(Found::LeaseRenewal(renewal)))) if asked == token => {
                self.hear_of_renewal(who, member, renewal);
            }
            (Doing::Clearing { token: asked, term, came }, (position, Ok(_))) if asked == token => {
                it.doing = Doing::Holding;
                if position.epoch == term {
                    it.heard = came;
                    self.company.chronicle.borrow_mut().promise(lease, came, ttl);
                }
            }
            (Doing::Hanging(asked) | Doing::Renewing(asked), (position, Err(KeyspaceError::LeaseNotFound))) if asked == token => {
                it.doing = Doing::Nothing;
                let lives = self.company.chronicle.borrow().model.leases.contains_key(&lease);
                if lives {
                    let what = format!("lease {lease:x} lives, and member {} knows nothing of it at {position}", member + 1);
                    self.violate(Invariant::AnswersSurvive, what);
                }
            }
            _ => {}
        }
    }

    fn hear_of_renewal(&mut self, who: usize, member: usize, renewal: Renewal) {
        let now = self.now;
        let term = self.ghost.borrow().members[member].term;
        let lease = self.company.lessees[who].lease;
        match renewal {
            Renewal::Renewed { ttl, checkpointed: false } => {
                let it = &mut self.company.lessees[who];
                (it.doing, it.heard, it.ttl) = (Doing::Holding, now, ttl);
                let mut chronicle = self.company.chronicle.borrow_mut();
                chronicle.count("leases renewed");
                chronicle.promise(lease, now, ttl);
            }
            Renewal::Renewed { ttl, checkpointed: true } => {
                let token = self.next_token();
                let it = &mut self.company.lessees[who];
                (it.doing, it.since, it.ttl) = (Doing::Clearing { token, term, came: now }, now, ttl);
                self.company.chronicle.borrow_mut().count("checkpoints cleared");
                let cleared = vec![LeaseCheckpoint { id: lease, remaining_ttl: 0 }];
                self.ask_for(member, Who::Lessee(who), Command::LeaseCheckpoint(cleared));
            }
            Renewal::Expired | Renewal::NotLeader => self.company.lessees[who].doing = Doing::Holding,
        }
    }
}
