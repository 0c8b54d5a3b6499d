//! One step of one member, and carrying out what comes of it.

use crate::disk::SavedSnapshot;
use crate::network::Flight;
use crate::protocol::{Outcome, Protocol};
use crate::transcript::Fate;
use crate::words;
use crate::world::World;
use bytes::Bytes;
use consensus::{
    Append, Consensus, Dropped, Entry, EntryKind, Fetch, Input, NodeId, Note, Output, Persist, Position, Reader, Role, Ticket,
};
use std::collections::VecDeque;
use std::error::Error;

/// Inputs that one step of a member leads to within its own process, in order.
type Inputs<P> = VecDeque<Input<<P as Protocol>::Message>>;

/// Messages to several peers that say the same, told in one line.
#[derive(Default)]
struct Sending {
    to: Vec<NodeId>,
    told: String,
}

impl<P: Protocol> World<P> {
    /// Steps member `id`, and carries out what follows, until its disk and its state machine have nothing more to tell it.
    pub(crate) fn step(&mut self, id: NodeId, input: Input<P::Message>) -> Outcome {
        let mut inputs = Inputs::<P>::from([input]);
        while let Some(input) = inputs.pop_front() {
            let now = self.now;
            let Some(core) = &mut self.member_mut(id)?.core else { return Ok(()) };
            let mut outputs = Vec::new();
            core.step(now, input, &mut outputs);
            let committed = core.committed();
            self.carry_out(id, committed, outputs, &mut inputs)?;
        }
        Ok(())
    }

    fn carry_out(
        &mut self,
        id: NodeId,
        committed: Position,
        outputs: Vec<Output<P::Message, P::Decision>>,
        inputs: &mut Inputs<P>,
    ) -> Outcome {
        let mut news = self.commits(id, committed)?;
        let mut sending = Sending::default();
        for output in outputs {
            if !matches!(output, Output::Send { .. }) {
                self.tell_sending(id, &mut sending);
            }
            match output {
                Output::Persist(persist) => self.persist(id, persist, inputs)?,
                Output::Send { to, message } => self.send(id, to, message, &mut sending)?,
                Output::Apply { entries } => {
                    let news = news.take_if(|position| entries.last().is_some_and(|last| last.position == *position));
                    self.apply(id, &entries, news.is_some(), inputs)?;
                }
                Output::ReadReady { id: read } => self.answer_read(id, read)?,
                Output::Drop { what, reason } => self.drop_request(id, what, reason),
                Output::Fetch(fetch) => self.fetch(id, fetch, inputs)?,
                Output::SendSnapshot { to, message } => self.send_snapshot(id, to, message, inputs)?,
                Output::InstallSnapshot { snapshot, entries } => self.install(id, snapshot, &entries, inputs)?,
                Output::Told { from, note } => self.told(id, from, note)?,
                Output::ChangeRole { epoch, role } => self.change_role(id, epoch, role)?,
                Output::Explain(decision) => self.say(format!("{id}: {decision}")),
                Output::Connect { peer, link } => self.open_link(id, peer, link, inputs)?,
                Output::Disconnect { peer, link, .. } => self.close_link(id, peer, link)?,
            }
        }
        self.tell_sending(id, &mut sending);
        self.leads(id)?;
        if let Some(position) = news {
            self.say(format!("{id} commits up to {position}"));
        }
        Ok(())
    }

    /// Notices that `id` knows more to be committed, and returns how far.
    fn commits(&mut self, id: NodeId, committed: Position) -> Result<Option<Position>, Box<dyn Error>> {
        let member = self.member_mut(id)?;
        if committed < member.committed {
            return Err(crate::invariant::Violation::CommitWentBack { member: id }.into());
        }
        if committed == member.committed {
            return Ok(None);
        }
        member.committed = committed;
        let synced = self.members.iter().map(|(&id, member)| (id, &member.disk.synced)).collect();
        self.ghost.commits(id, committed, &self.configuration, &synced)?;
        Ok(Some(committed))
    }

    fn persist(&mut self, id: NodeId, persist: Persist, inputs: &mut Inputs<P>) -> Outcome {
        let told = self.tell_persist(id, &persist)?;
        let ticket = persist.ticket;
        let disk = &mut self.member_mut(id)?.disk;
        let manual = disk.manual;
        disk.write(persist);
        if !manual {
            self.sync(id, usize::MAX)?;
            inputs.push_back(Input::Persisted { ticket });
        }
        match (told, manual) {
            (Some(told), false) => self.say(format!("{id} syncs {told}")),
            (Some(told), true) => self.say(format!("{id} writes {told} (write {}, not synced)", ticket.0)),
            (None, _) => {} // nothing but a hint
        }
        Ok(())
    }

    /// Syncs the `count` oldest writes of member `id`, and returns the last one's ticket.
    pub(crate) fn sync(&mut self, id: NodeId, count: usize) -> Result<Option<Ticket>, Box<dyn Error>> {
        let synced = self.member_mut(id)?.disk.sync(count);
        for promise in synced.iter().filter_map(|persist| persist.promise.as_ref()) {
            self.ghost.promises(id, promise)?;
        }
        Ok(synced.last().map(|persist| persist.ticket))
    }

    /// What a write changes, in words; `None` if nothing but hints.
    fn tell_persist(&self, id: NodeId, persist: &Persist) -> Result<Option<String>, Box<dyn Error>> {
        let written = &self.member(id)?.disk.written;
        let mut parts = Vec::new();
        if let Some(promise) = persist.promise {
            if promise.epoch != written.promise.epoch {
                parts.push(format!("{} {}", P::EPOCH, promise.epoch));
            }
            if let Some(candidate) = promise.vote
                && (promise.epoch, promise.vote) != (written.promise.epoch, written.promise.vote)
            {
                parts.push(format!("its vote for {candidate}"));
            }
        }
        if let Some(Append { after, entries }) = &persist.append {
            let cut = written.cut_by(*after);
            if !cut.is_empty() {
                parts.push(format!("the cut of {}", words::entries(cut)));
            }
            if !entries.is_empty() {
                parts.push(words::entries(entries));
            }
        }
        Ok((!parts.is_empty()).then(|| parts.join("; ")))
    }

    fn send(&mut self, from: NodeId, to: NodeId, message: P::Message, sending: &mut Sending) -> Outcome {
        assert!(from != to && self.members.contains_key(&to), "{from} sends to {to}");
        let flight = Flight { from, to, message, snapshot: None };
        if !self.network.carries(from, to) || !self.link_stands(from, to, P::link(&flight.message)) {
            self.tell_sending(from, sending);
            return self.lose(flight);
        }
        let routine = P::is_routine(&self.settings, &flight.message);
        self.notable += u64::from(!routine);
        if self.humming && routine {
            self.transcript.count(from, to, P::name(&flight.message), Fate::Sent);
        } else if !self.flowing {
            let told = P::tell(&mut self.names, &flight.message);
            if sending.told != told {
                self.tell_sending(from, sending);
                sending.told = told;
            }
            sending.to.push(to);
        }
        self.network.send(flight);
        Ok(())
    }

    fn tell_sending(&mut self, from: NodeId, sending: &mut Sending) {
        if !sending.to.is_empty() {
            let Sending { to, told } = core::mem::take(sending);
            self.say(format!("{from} sends {}: {told}", words::nodes(to)));
        }
    }

    fn apply(&mut self, id: NodeId, entries: &[Entry], commits: bool, inputs: &mut Inputs<P>) -> Outcome {
        for entry in entries {
            let member = self.members.get_mut(&id).expect("a member that steps");
            self.ghost.applies(id, member.machine.count, entry)?;
            member.machine.apply(entry);
        }
        let Some(last) = entries.last() else { return Ok(()) };
        let verb = if commits { "commits and applies" } else { "applies" };
        self.say(format!("{id} {verb} {}", words::entries(entries)));
        inputs.push_back(Input::Applied { position: last.position });
        for entry in entries {
            self.answer_write(id, entry)?;
        }
        Ok(())
    }

    fn fetch(&mut self, id: NodeId, fetch: Fetch, inputs: &mut Inputs<P>) -> Outcome {
        let image = &self.member(id)?.disk.written;
        let log = &image.entries;
        let mut bytes = 0;
        let found = P::first_fetched(image.base, log, fetch.first).map_or(&[][..], |at| &log[at..]);
        let entries: Vec<Entry> = found
            .iter()
            .take_while(|entry| {
                let fits = bytes == 0 || bytes + entry.data.len() <= fetch.budget;
                bytes += entry.data.len().max(1);
                fits && P::number(entry.position) <= fetch.last
            })
            .cloned()
            .collect();
        let reader = match fetch.reader {
            Reader::Machine => "its state machine".into(),
            Reader::Peer(peer) => format!("{peer}"),
        };
        self.say(format!("{id} reads from its disk for {reader}: {}", words::entries(&entries)));
        inputs.push_back(Input::Fetched { reader: fetch.reader, entries });
        Ok(())
    }

    fn send_snapshot(&mut self, from: NodeId, to: NodeId, message: P::Message, inputs: &mut Inputs<P>) -> Outcome {
        let nothing = || P::BEGINS_WITH_A_SNAPSHOT.then(|| SavedSnapshot::of_nothing(self.configuration.clone()));
        let snapshot = self.member(from)?.disk.snapshot.clone().or_else(nothing);
        let carries = self.network.carries(from, to) && self.link_stands(from, to, P::link(&message));
        let Some(snapshot) = snapshot.filter(|_| carries) else {
            let told = P::tell(&mut self.names, &message);
            self.say(format!("{from} ✗ {to} {told}"));
            inputs.push_back(Input::SnapshotSent { to, delivered: false });
            return Ok(());
        };
        if !self.flowing {
            let told = P::tell(&mut self.names, &message);
            self.say(format!("{from} sends {to}: {told}"));
        }
        self.network.send(Flight { from, to, message, snapshot: Some(snapshot) });
        Ok(())
    }

    /// A message arrives. A snapshot's arrival is made known to both sides.
    pub(crate) fn receive(&mut self, flight: Flight<P::Message>) -> Outcome {
        let Flight { from, to, message, snapshot } = flight;
        self.meet(to, from, P::link(&message))?;
        let Some(snapshot) = snapshot else { return self.step(to, Input::Receive { from, message }) };
        self.member_mut(to)?.arrived = Some(snapshot);
        self.step(to, Input::SnapshotArrived { from, message })?;
        self.snapshot_sent(from, to, true)
    }

    /// The transfer of a snapshot has ended.
    pub(crate) fn snapshot_sent(&mut self, from: NodeId, to: NodeId, delivered: bool) -> Outcome {
        if !self.member(from)?.runs() {
            return Ok(());
        }
        self.step(from, Input::SnapshotSent { to, delivered })
    }

    fn install(&mut self, id: NodeId, snapshot: consensus::Snapshot, entries: &[Entry], inputs: &mut Inputs<P>) -> Outcome {
        let member = self.member_mut(id)?;
        let mut arrived = member.arrived.take().expect("a snapshot is installed after it has arrived");
        assert_eq!(arrived.stands_for, snapshot, "{id} installs another snapshot than the one that arrived");
        let of = snapshot.position;
        for entry in entries {
            arrived.machine.apply(entry);
            arrived.stands_for.position = entry.position;
        }
        let snapshot = arrived.stands_for.clone();
        member.machine = arrived.machine.clone();
        member.disk.install(arrived);
        let more = if entries.is_empty() { String::new() } else { format!(" and {}", words::entries(entries)) };
        self.say(format!("{id} installs the snapshot at {of}{more} in place of log and state machine"));
        inputs.push_back(Input::Installed { snapshot });
        Ok(())
    }

    fn change_role(&mut self, id: NodeId, epoch: u64, role: Role) -> Outcome {
        let member = self.member_mut(id)?;
        let before = member.tell();
        (member.epoch, member.role) = (epoch, role);
        let after = member.tell();
        if after != before {
            self.say(format!("{id} {after}"));
        }
        Ok(())
    }

    /// A member that leads and serves is the one leader of its epoch.
    fn leads(&mut self, id: NodeId) -> Outcome {
        let member = self.member_mut(id)?;
        let leads = member.role == Role::Leader && member.core.as_ref().is_some_and(Consensus::serving);
        if !leads || member.led == Some(member.epoch) {
            return Ok(());
        }
        member.led = Some(member.epoch);
        let epoch = member.epoch;
        Ok(self.ghost.leads(id, epoch, &self.members[&id].disk.written)?)
    }

    /// A follower forwards its clients' writes.
    fn told(&mut self, id: NodeId, from: NodeId, note: Note) -> Outcome {
        let Note::Request(requests) = note else { return Ok(()) };
        let commands: Vec<Bytes> =
            requests.into_iter().filter(|(kind, _)| *kind == EntryKind::Command).map(|(_, data)| data).collect();
        self.say(format!("{id} takes what {from} forwards"));
        self.propose_here(id, commands, from)
    }

    fn drop_request(&mut self, id: NodeId, what: Dropped, reason: consensus::DropReason) {
        let what = match what {
            Dropped::Proposal => "the proposal".into(),
            Dropped::Read(read) => {
                self.clients.reads.remove(&(id, read));
                format!("read {}", read.0)
            }
            Dropped::Note => "what was forwarded".into(),
            Dropped::Transfer => "the transfer".into(),
            Dropped::Snapshot => "the snapshot".into(),
            Dropped::Reconfiguration => "the reconfiguration".into(),
        };
        self.say(format!("{id} gives up {what}: {}", words::reason(reason)));
    }
}
