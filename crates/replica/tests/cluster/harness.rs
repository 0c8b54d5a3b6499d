//! The members of a test's cluster, their disks, and the network between them.

use bytes::Bytes;
use consensus::{
    Append, Configuration, Entry, How, Instant, Link, NodeId, Persist, Position, Restore, RestoreError, Role, StateMachine, Wall,
};
use raft::{Config, Message, Raft, Recovered};
use replica::{Answer, Codec, Decoded, Effect, Event, Options, Replica, RequestId, Token, Undecodable};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Appends every command to a list; answers with its length. At `rings` time itself appends "ring", if this member leads.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) items: Vec<Bytes>,
    pub(crate) applied: Position,
    pub(crate) rings: Instant,
}

/// What can be asked of a list.
#[derive(Clone, Debug)]
pub(crate) enum Look {
    /// Everything in it.
    Items,
    /// Nothing: whether somebody is there.
    Alive,
    /// Everything in it; the question is long, too.
    Long(Bytes),
}

impl Default for List {
    fn default() -> List {
        List { items: Vec::new(), applied: Position::ZERO, rings: Instant::NEVER }
    }
}

impl StateMachine for List {
    type Request = Bytes;
    type Command = Bytes;
    type Query = Look;
    type Response = Vec<Bytes>;
    type Event = std::convert::Infallible;
    type Cursor = VecDeque<Bytes>;

    fn prepare(&mut self, _: Position, _: Wall, _: NodeId, request: Bytes) -> Bytes {
        request
    }
    fn abandon(&mut self) {}
    fn apply(&mut self, position: Position, command: Bytes, _: &mut Vec<Self::Event>) -> Vec<Bytes> {
        self.applied = position;
        self.items.push(command);
        self.items.clone()
    }
    fn skip(&mut self, position: Position) {
        self.applied = position;
    }
    fn applied(&self) -> Position {
        self.applied
    }
    fn read(&self, look: Look) -> Vec<Bytes> {
        if matches!(look, Look::Alive) { Vec::new() } else { self.items.clone() }
    }
    fn takes_turns(look: &Look) -> bool {
        !matches!(look, Look::Alive)
    }
    fn query_bytes(look: &Look) -> usize {
        if let Look::Long(text) = look { text.len() } else { 0 }
    }
    fn response_weight(items: &Vec<Bytes>) -> usize {
        items.iter().map(Bytes::len).sum()
    }
    fn lead(&mut self, _: Instant) {}
    fn deadline(&self) -> Instant {
        self.rings
    }
    fn due(&mut self, now: Instant) -> Vec<Bytes> {
        assert!(self.rings <= now);
        self.rings = Instant::NEVER;
        vec!["ring".into()]
    }
    fn begin_snapshot(&mut self) -> VecDeque<Bytes> {
        self.items.clone().into()
    }
    fn snapshot_chunk(&self, cursor: &mut VecDeque<Bytes>, _: usize) -> Option<Bytes> {
        cursor.pop_front()
    }
    fn end_snapshot(&mut self, _: VecDeque<Bytes>) {}
}

impl Restore for List {
    fn restore(chunks: &mut dyn Iterator<Item = Bytes>) -> Result<List, RestoreError> {
        Ok(List { items: chunks.collect(), ..List::default() })
    }
}

/// An id of 16 bytes, then the item. An item "poison" cannot be decoded.
pub(crate) struct Plain {
    pub(crate) next: u128,
}

impl Codec for Plain {
    type Machine = List;

    fn id(&mut self, _: &Bytes) -> RequestId {
        self.next += 1;
        RequestId(self.next)
    }
    fn encode_request(&self, id: RequestId, request: &Bytes) -> Bytes {
        [&id.0.to_be_bytes()[..], request].concat().into()
    }
    fn decode_request(&self, data: &Bytes) -> Result<(RequestId, Bytes), Undecodable> {
        let (id, item) = data.split_at_checked(16).ok_or_else(|| Undecodable("too short".into()))?;
        let id = RequestId(u128::from_be_bytes(id.try_into().expect("16 bytes")));
        Ok((id, Bytes::copy_from_slice(item)))
    }
    fn encode(&self, _: RequestId, _: &Bytes, request: Bytes) -> Bytes {
        request
    }
    fn decode(&self, entry: &Entry) -> Result<Decoded<Bytes>, Undecodable> {
        if entry.data.is_empty() {
            return Ok(Decoded { id: None, command: None });
        }
        let (id, item) = self.decode_request(&entry.data)?;
        if item == "poison" { Err(Undecodable("it is poison".into())) } else { Ok(Decoded { id: Some(id), command: Some(item) }) }
    }
}

pub(crate) struct Member {
    pub(crate) replica: Replica<Raft, List, Plain>,
    pub(crate) log: Vec<Entry>,
    pub(crate) answers: BTreeMap<Token, Answer<Vec<Bytes>>>,
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) cut: u64,
    /// The snapshots that it was to send.
    pub(crate) leaving: Vec<(NodeId, Message)>,
    pub(crate) stopped: Option<String>,
}

pub(crate) struct Cluster {
    pub(crate) now: Instant,
    pub(crate) members: BTreeMap<NodeId, Member>,
    pub(crate) dead: BTreeSet<NodeId>,
    /// Links that carry nothing, and whose members do not know it.
    pub(crate) silent: BTreeSet<(NodeId, NodeId)>,
    pub(crate) mail: VecDeque<(NodeId, NodeId, Message)>,
    pub(crate) token: u64,
}

pub(crate) fn ids() -> [NodeId; 3] {
    [NodeId(1), NodeId(2), NodeId(3)]
}

impl Cluster {
    pub(crate) fn new(options: &Options) -> Cluster {
        let configuration = Configuration::of(ids());
        let members = ids().map(|id| {
            let recovered = Recovered { configuration: configuration.clone(), ..Recovered::default() };
            let raft = Raft::new(Config::new(id), recovered, id.0, Instant::ZERO);
            let codec = Plain { next: u128::from(id.0) << 64 };
            let replica = Replica::new(id, raft, List::default(), codec, configuration.clone(), options.clone());
            let (log, chunks, leaving, answers) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
            (id, Member { replica, log, answers, chunks, cut: 0, leaving, stopped: None })
        });
        let mut cluster = Cluster {
            now: Instant::ZERO,
            members: members.into(),
            dead: BTreeSet::new(),
            silent: BTreeSet::new(),
            mail: VecDeque::new(),
            token: 0,
        };
        for id in ids() {
            for peer in ids().into_iter().filter(|&peer| peer != id) {
                cluster.tell(id, Event::Connected { peer, link: Link::Peer, incarnation: 1 });
            }
        }
        cluster
    }

    /// Lets one member handle an event and everything that its own disk answers.
    pub(crate) fn tell(&mut self, id: NodeId, event: Event<Message, List, Bytes, Look>) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let member = self.members.get_mut(&id).expect("a member");
            let mut effects = Vec::new();
            member.replica.handle(self.now, Wall::default(), event, &mut effects);
            for effect in effects {
                match effect {
                    Effect::Persist(Persist { ticket, append, .. }) => {
                        if let Some(Append { after, entries }) = append {
                            member.log.truncate(after.index as usize);
                            member.log.extend(entries);
                        }
                        events.push_back(Event::Persisted(ticket));
                    }
                    Effect::Send { to, message } => self.mail.push_back((id, to, message)),
                    Effect::Answer { token, answer } => {
                        assert!(member.answers.insert(token, answer).is_none(), "answered twice");
                    }
                    Effect::WriteSnapshot { chunk, .. } => {
                        member.chunks.push(chunk);
                        events.push_back(Event::SnapshotChunkWritten);
                    }
                    Effect::FinishSnapshot(snapshot) => events.push_back(Event::SnapshotSaved(snapshot)),
                    Effect::CutLog { upto } => member.cut = upto,
                    Effect::SendSnapshot { to, message } => member.leaving.push((to, message)),
                    Effect::Stop(why) => member.stopped = Some(why),
                    Effect::ChangeRole { .. } | Effect::Explain(_) | Effect::InstallSnapshot { .. } => {}
                    Effect::Happened { .. } | Effect::HeardOfSession(_) => unreachable!("a list tells nobody"),
                    other => panic!("not expected here: {other:?}"),
                }
            }
        }
    }

    pub(crate) fn deliver(&mut self) {
        while let Some((from, to, message)) = self.mail.pop_front() {
            if !self.dead.contains(&from) && !self.dead.contains(&to) && !self.silent.contains(&(from, to)) {
                self.tell(to, Event::Receive { from, message });
            }
        }
    }

    /// Lets time pass, timer by timer.
    pub(crate) fn advance(&mut self, span: Duration) {
        let end = self.now + span;
        self.deliver();
        loop {
            let living = self.members.iter().filter(|(id, _)| !self.dead.contains(id));
            let (due, id) = living.map(|(&id, member)| (member.replica.deadline(), id)).min().expect("a living member");
            if due > end {
                break;
            }
            self.now = self.now.max(due);
            self.tell(id, Event::Timeout);
            self.deliver();
        }
        self.now = end;
    }

    pub(crate) fn leader(&mut self) -> NodeId {
        for _ in 0..100 {
            let leads = |id: &NodeId| self.members[id].replica.status().role == Role::Leader && !self.dead.contains(id);
            if let Some(leader) = ids().into_iter().find(leads) {
                return leader;
            }
            self.advance(Duration::from_millis(100));
        }
        panic!("nobody leads after ten seconds");
    }

    pub(crate) fn follower(&mut self) -> NodeId {
        let leader = self.leader();
        ids().into_iter().find(|&id| id != leader && !self.dead.contains(&id)).expect("a living follower")
    }

    pub(crate) fn kill(&mut self, victim: NodeId) {
        self.dead.insert(victim);
        for id in ids().into_iter().filter(|&id| id != victim) {
            self.tell(id, Event::Disconnected { peer: victim, link: Link::Peer, how: How::Refused });
        }
    }

    /// Nobody hears from it and it hears from nobody, and no member is told.
    pub(crate) fn isolate(&mut self, id: NodeId) {
        self.silent.extend(ids().into_iter().flat_map(|peer| [(id, peer), (peer, id)]));
    }

    pub(crate) fn set_alarm(&mut self, id: NodeId, after: Duration) {
        let rings = self.now + after;
        self.members.get_mut(&id).expect("a member").replica.machine_mut().rings = rings;
    }

    pub(crate) fn write(&mut self, id: NodeId, item: impl Into<Bytes>) -> Token {
        self.token += 1;
        self.tell(id, Event::Requests(vec![(Token(self.token), item.into())]));
        Token(self.token)
    }

    pub(crate) fn answer(&self, id: NodeId, token: Token) -> Option<&Answer<Vec<Bytes>>> {
        self.members[&id].answers.get(&token)
    }

    pub(crate) fn items(&self, id: NodeId) -> &[Bytes] {
        &self.members[&id].replica.machine().items
    }
}

pub(crate) fn is_applied(answer: Option<&Answer<Vec<Bytes>>>) -> bool {
    matches!(answer, Some(Answer::Applied(..)))
}
