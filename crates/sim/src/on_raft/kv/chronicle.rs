//! What was committed, as a model of the keyspace sees it: every command carried out once, in order, and nothing ever forgotten.
//!
//! Whatever a member's machine makes of an entry must be what the model made of it, and what clients and watchers are told is looked
//! up here.

use super::model::{Model, Moment};
use crate::invariant::Invariant;
use consensus::{Instant, Position};
use keyspace::{Answer, Change, Command, Query, Response, Revision};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

/// The one chronicle of a run.
pub(crate) type SharedChronicle = Rc<RefCell<Chronicle>>;

/// All that was committed.
#[derive(Debug, Default)]
pub(crate) struct Chronicle {
    pub(super) model: Model,
    /// By index, from 1.
    places: Vec<Place>,
    /// Where requests were applied, by their ids.
    by_id: HashMap<u64, u64>,
    /// In which term, and when, a leader decided what time had brought about.
    decided: HashMap<u64, (u64, Instant)>,
    /// For each lease: before when it may not be ended, since its last sign of life was answered.
    promised: BTreeMap<i64, Instant>,
    /// Clocks may do what they like, so that nobody can be held to what was promised by another's.
    pub(super) clocks_are_bent: bool,
    /// By how many parts in a thousand they may drift even if they are not.
    pub(super) drift: u32,
    /// The first thing that is not as it ought to be.
    pub(super) wrong: Option<(Invariant, String)>,
    /// How often something was looked at.
    pub(super) checks: BTreeMap<&'static str, u64>,
}

/// What an entry did.
#[derive(Clone, Debug)]
struct Place {
    position: Position,
    /// What there is to read after it.
    moment: Moment,
    response: Option<Response>,
    changes: Vec<(Revision, Change)>,
}

impl Chronicle {
    pub(super) fn violate(&mut self, invariant: Invariant, what: impl Into<String>) {
        if self.wrong.is_none() {
            self.wrong = Some((invariant, what.into()));
        }
    }

    pub(super) fn violate_time(&mut self, what: String) {
        self.violate(Invariant::LeasesKeepTheirTime, what);
    }

    pub(super) fn violate_early(&mut self, what: String) {
        self.violate(Invariant::LeasesEndOnTime, what);
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.checks.entry(what).or_default() += 1;
    }

    pub(super) fn count_lead(&mut self) {
        self.count("terms with lease clocks");
    }

    /// A member applied an entry, which may be the first time anywhere.
    #[allow(clippy::too_many_arguments, reason = "it is all there is to know of an entry")]
    pub(super) fn applied(
        &mut self,
        member: usize,
        time: Instant,
        position: Position,
        id: u64,
        command: &Command,
        response: &Response,
        changes: &[(Revision, Change)],
    ) {
        if position.index == self.places.len() as u64 + 1 {
            self.carry_out(position, id, command, time);
        }
        let Some(place) = self.place(position) else { return };
        let agrees = place.response.as_ref().is_none_or(|expected| expected == response) && place.changes == changes;
        if !agrees {
            let what = format!(
                "member {} applied {command:?} at {position} and made of it {response:?} and {changes:?}; it should be {:?} and {:?}",
                member + 1,
                place.response,
                place.changes
            );
            let whole = !matches!(command, Command::LeaseRevoke { .. });
            self.violate(if whole { Invariant::StateMachineSafety } else { Invariant::LeasesEndWhole }, what);
        }
    }

    fn carry_out(&mut self, position: Position, id: u64, command: &Command, time: Instant) {
        self.count("commands");
        let before = self.model.now.revision;
        let response = self.model.apply(command);
        let moment = self.model.now;
        let changes = if moment.revision > before { self.model.events[moment.revision as usize].clone() } else { Vec::new() };
        if id != 0 && self.by_id.insert(id, position.index).is_some() {
            self.violate(Invariant::AppliedOnce, format!("request {id:x} is applied at {position} for the second time"));
        }
        match (command, &response) {
            (Command::LeaseGrant(grant), Some(Ok(Answer::LeaseGrant { ttl, .. }))) => self.promise(grant.id, time, *ttl),
            (Command::LeaseRevoke { id: lease }, _) => {
                self.count(if self.decided.contains_key(&id) { "leases that ran out" } else { "leases revoked" });
                self.check_promise(id, *lease);
            }
            (Command::LeaseCheckpoint(_), _) => self.count("lease checkpoints"),
            (Command::Txn(_), _) => self.count("transactions"),
            (Command::Compact(_), Some(Ok(_))) => self.count("compactions"),
            _ => {}
        }
        if let Some(&(term, _)) = self.decided.get(&id)
            && term != position.epoch
        {
            let what = format!("{command:?} was decided in term {term} and stands in the log of term {}", position.epoch);
            self.violate(Invariant::LeasesEndInTheirTerm, what);
        }
        self.places.push(Place { position, moment, response, changes });
    }

    /// A member passed over an entry that says nothing.
    pub(super) fn skipped(&mut self, position: Position) {
        if position.index == self.places.len() as u64 + 1 {
            self.places.push(Place { position, moment: self.model.now, response: None, changes: Vec::new() });
        }
    }

    fn place(&self, position: Position) -> Option<&Place> {
        let place = self.places.get(position.index.checked_sub(1)? as usize)?;
        (place.position == position).then_some(place)
    }

    /// What there was to read after an entry.
    pub(super) fn moment(&self, position: Position) -> Moment {
        self.place(position).map_or(Moment { revision: 1, compacted: -1 }, |place| place.moment)
    }

    /// Where the request of this id was applied, if it was.
    pub(super) fn committed_at(&self, id: u64) -> Option<u64> {
        self.by_id.get(&id).copied()
    }

    /// A client was told what its request came to.
    pub(super) fn check_answer(&mut self, id: u64, position: Position, response: &Response) {
        self.count("answers");
        let place = self.place(position);
        let same = place.is_some_and(|place| place.response.as_ref().is_none_or(|expected| expected == response));
        if !same || self.committed_at(id) != Some(position.index) {
            let what = format!(
                "request {id:x} was answered as applied at {position} with {response:?}; there is {:?}, and the request at {:?}",
                place.map(|place| &place.response),
                self.committed_at(id)
            );
            self.violate(Invariant::AnswersSurvive, what);
        }
    }

    /// A client was told what it asked to read, from what there was after an entry.
    pub(super) fn check_read(&mut self, query: &Query, position: Position, response: &Response) {
        self.count("reads");
        let expected = self.model.read(query, self.moment(position));
        if expected.as_ref().is_some_and(|expected| expected != response) {
            let what = format!("{query:?} was answered after {position} with {response:?}; it should be {expected:?}");
            self.violate(Invariant::Linearizability, what);
        }
    }

    // ---- leases ----

    /// A leader decided what time has brought about, at `time` by the world's clock. One that was replaced and has not noticed may do so,
    /// too, and to no effect.
    pub(super) fn decided(&mut self, id: u64, term: u64, time: Instant) {
        self.decided.insert(id, (term, time));
    }

    /// A lease is ended: if time has brought that about, it was not before the time that was promised.
    fn check_promise(&mut self, id: u64, lease: i64) {
        let (Some(until), Some(&(_, time))) = (self.promised.remove(&lease), self.decided.get(&id)) else { return };
        if self.clocks_are_bent {
            return;
        }
        self.count("promises to leases");
        if time < until {
            let early = until.since(time);
            let what = format!("lease {lease:x} is ended {early:?} before the time that its last answered sign of life gave it");
            self.violate(Invariant::LeasesEndOnTime, what);
        }
    }

    /// A sign of life that reached its leader at `time` (or the grant itself) was answered: so long it lives.
    pub(super) fn promise(&mut self, lease: i64, time: Instant, ttl: i64) {
        let ttl = Duration::from_secs(ttl.unsigned_abs());
        let until = time + ttl - ttl * self.drift / 1_000;
        let promised = self.promised.entry(lease).or_insert(until);
        *promised = (*promised).max(until);
    }
}
