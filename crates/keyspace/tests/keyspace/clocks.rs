//! Leases' clocks: a lease never ends before its time, always ends after it, and what it had left survives its leader.

use consensus::{Instant, NodeId, Position, StateMachine, Wall};
use keyspace::{
    Alarm, AlarmAction, AlarmKind, AlarmRequest, Answer, Command, Keyspace, LeaseCheckpoint, LeaseGrantRequest, LeaseSettings,
    Query, Renewal,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const MEMBERS: usize = 3;

fn at(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

/// A cluster with one clock: a log, of which some is committed, and machines that have applied some of that.
struct Cluster {
    now: Instant,
    log: Vec<Entry>,
    committed: usize,
    machines: Vec<Keyspace>,
    term: u64,
    leader: usize,
    leads: bool,
    /// Until when each lease was promised to live.
    promised: BTreeMap<i64, Instant>,
    /// Renewals that wait for their checkpoint of 0: which, until when it will have been promised, in which term, at which index.
    clearing: Vec<(i64, Instant, u64, usize)>,
}

#[derive(Clone)]
struct Entry {
    term: u64,
    command: Option<Command>,
    /// Whether a client wanted it, and not time.
    wanted: bool,
}

impl Cluster {
    fn new() -> Cluster {
        let mut cluster = Cluster {
            now: Instant::ZERO,
            log: Vec::new(),
            committed: 0,
            machines: (0..MEMBERS).map(|_| Keyspace::new()).collect(),
            term: 0,
            leader: 0,
            leads: false,
            promised: BTreeMap::new(),
            clearing: Vec::new(),
        };
        cluster.elect(0, 0);
        cluster
    }

    fn tell_all(&mut self, settings: LeaseSettings) {
        self.machines.iter_mut().for_each(|machine| machine.set_lease_settings(settings));
    }

    /// Another leader, who has `kept` of what was not committed.
    fn elect(&mut self, leader: usize, kept: usize) {
        self.machines[self.leader].abandon();
        let kept = self.committed + kept.min(self.log.len() - self.committed);
        self.log.truncate(kept);
        self.term += 1;
        (self.leader, self.leads) = (leader, false);
        self.log.push(Entry { term: self.term, command: None, wanted: false });
        self.apply(leader, self.committed);
    }

    fn propose(&mut self, command: Command) -> bool {
        self.append(command, true)
    }

    fn append(&mut self, command: Command, wanted: bool) -> bool {
        if !self.leads {
            return false;
        }
        let next = Position::new(self.term, self.log.len() as u64 + 1);
        let command = self.machines[self.leader].prepare(next, Wall::default(), NodeId(1), command);
        self.log.push(Entry { term: self.term, command: Some(command), wanted });
        true
    }

    /// Commits this much more.
    fn commit(&mut self, entries: usize) {
        let upto = self.log.len().min(self.committed + entries);
        while self.committed < upto {
            let Entry { term, command, wanted } = self.log[self.committed].clone();
            self.committed += 1;
            match command {
                Some(Command::LeaseGrant(LeaseGrantRequest { id, ttl })) if !self.exists(id) => {
                    self.promised.insert(id, self.now + Duration::from_secs(ttl.max(2) as u64));
                    // What was promised to the lease that had this id before is not for this one.
                    self.clearing.retain(|clearing| clearing.0 != id);
                }
                Some(Command::LeaseRevoke { id }) if self.exists(id) && !wanted => {
                    let promised = self.promised[&id];
                    assert!(self.now >= promised, "lease {id} was to live until {promised}, and ends at {}", self.now);
                }
                _ => {}
            }
            self.apply(self.leader, self.committed);
            if term == self.term && !self.leads {
                self.leads = true;
                self.machines[self.leader].lead(self.now);
            }
            let (now_term, index) = (self.term, self.committed);
            let answered: Vec<_> =
                self.clearing.extract_if(.., |clearing| clearing.3 <= index || clearing.2 != now_term).collect();
            for (id, until, term, _) in answered {
                if term == now_term && self.exists(id) {
                    self.promise(id, until);
                }
            }
        }
    }

    fn promise(&mut self, id: i64, until: Instant) {
        let promised = self.promised.get_mut(&id).expect("a lease that was granted");
        *promised = until.max(*promised);
    }

    /// The others follow at their own pace; whoever leads next has caught up by then.
    fn apply(&mut self, member: usize, upto: usize) {
        let machine = &mut self.machines[member];
        machine.tell_time(self.now, Wall::default());
        while (machine.applied().index as usize) < upto {
            let index = machine.applied().index as usize;
            let Entry { term, command, .. } = self.log[index].clone();
            let position = Position::new(term, index as u64 + 1);
            match command {
                None => machine.skip(position),
                Some(command) => drop(machine.apply(position, command, &mut Vec::new())),
            }
        }
    }

    fn exists(&mut self, id: i64) -> bool {
        self.left_and_checkpoint(id).is_some()
    }

    fn left_and_checkpoint(&mut self, id: i64) -> Option<(Option<i64>, i64)> {
        self.machines[self.leader].tell_time(self.now, Wall::default());
        match self.machines[self.leader].read(Query::Lease { id, keys: false }) {
            Ok(Answer::Lease { lease, .. }) => lease.map(|lease| (lease.left, lease.remaining_ttl)),
            other => panic!("{other:?}"),
        }
    }

    /// As the server does it.
    fn renew(&mut self, id: i64) -> Option<Renewal> {
        let leader = self.leader;
        self.machines[leader].tell_time(self.now, Wall::default());
        let renewal = match self.machines[leader].attend(Query::LeaseRenew { id }) {
            Ok(Answer::LeaseRenewal(renewal)) => renewal,
            Err(keyspace::KeyspaceError::LeaseNotFound) => return None,
            other => panic!("{other:?}"),
        };
        match renewal {
            Renewal::Renewed { ttl, checkpointed } => {
                let until = self.now + Duration::from_secs(ttl as u64);
                if checkpointed {
                    assert!(self.propose(Command::LeaseCheckpoint(vec![LeaseCheckpoint { id, remaining_ttl: 0 }])));
                    self.clearing.push((id, until, self.term, self.log.len()));
                } else {
                    self.promise(id, until);
                }
            }
            Renewal::Expired => assert!(self.now >= self.promised[&id], "lease {id} ran out early"),
            Renewal::NotLeader => assert!(!self.leads),
        }
        Some(renewal)
    }

    /// Lets the leader's clocks be looked at, as often as they ask for it, until `end`.
    fn pass(&mut self, span: Duration, commits: bool) {
        let end = self.now + span;
        loop {
            let leader = self.leader;
            let deadline = self.machines[leader].deadline();
            if !self.leads || deadline > end {
                break;
            }
            self.now = self.now.max(deadline);
            let due = self.machines[leader].due(self.now);
            assert!(self.machines[leader].deadline() > self.now, "it asks for the same again and again");
            for command in due {
                let mut open = self.log[self.committed..].iter().filter(|entry| entry.term == self.term);
                let twice =
                    matches!(command, Command::LeaseRevoke { .. }) && open.any(|entry| entry.command.as_ref() == Some(&command));
                assert!(!twice, "{command:?} is in the log already");
                assert!(self.append(command, false));
            }
            if commits {
                self.commit(usize::MAX - self.committed);
            }
        }
        self.now = end;
    }

    fn settle(&mut self) {
        self.commit(usize::MAX - self.committed);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Grant(i64, i64),
    Revoke(i64),
    Renew(i64),
    Commit(usize),
    /// Milliseconds, and whether what is proposed meanwhile is committed at once.
    Pass(u64, bool),
    Elect(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = 1..5_i64;
    let step = prop_oneof![
        2 => (id.clone(), prop_oneof![Just(0), 2..12_i64, 100..2000_i64]).prop_map(|(id, ttl)| Step::Grant(id, ttl)),
        1 => id.clone().prop_map(Step::Revoke),
        6 => id.prop_map(Step::Renew),
        4 => (1..4_usize).prop_map(Step::Commit),
        8 => (prop_oneof![0..1500_u64, 1000..10_000_u64, 100_000..400_000_u64], any::<bool>()).prop_map(|(ms, all)| Step::Pass(ms, all)),
        2 => (0..MEMBERS, 0..4_usize).prop_map(|(leader, kept)| Step::Elect(leader, kept)),
    ];
    proptest::collection::vec(step, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_lease_ends_early_and_none_lives_for_ever(steps in steps()) {
        let mut cluster = Cluster::new();
        // The extension would hide what is lost elsewhere.
        cluster.tell_all(LeaseSettings { extension: Duration::ZERO, checkpoints: true });
        cluster.settle();
        for step in steps {
            match step {
                Step::Grant(id, ttl) => drop(cluster.propose(Command::LeaseGrant(LeaseGrantRequest { id, ttl }))),
                Step::Revoke(id) => drop(cluster.propose(Command::LeaseRevoke { id })),
                // A linearizable read: what was committed when it was asked is applied, and this leader has committed in its term.
                Step::Renew(id) if cluster.leads => drop(cluster.renew(id)),
                Step::Renew(_) => {}
                Step::Commit(entries) => cluster.commit(entries),
                Step::Pass(ms, commits) => cluster.pass(Duration::from_millis(ms), commits),
                Step::Elect(leader, kept) => cluster.elect(leader, kept),
            }
        }
        // In the end everything runs out.
        cluster.settle();
        for _ in 0..3 {
            cluster.pass(Duration::from_secs(2100), true);
        }
        for id in 1..5 {
            let lives = cluster.exists(id);
            prop_assert!(!lives, "lease {id} lives for ever");
        }
        for member in 0..MEMBERS {
            cluster.apply(member, cluster.committed);
            prop_assert_eq!(cluster.machines[member].read(Query::Leases), cluster.machines[cluster.leader].read(Query::Leases));
        }
    }

    /// A leader that dies gives a silent lease no more than as much again as it had left, and the extension.
    #[test]
    fn what_was_left_survives_a_change_of_leader(ttl in 2..3000_i64, silent in 0.0..1.0_f64) {
        let mut cluster = Cluster::new();
        cluster.settle();
        cluster.propose(Command::LeaseGrant(LeaseGrantRequest { id: 7, ttl }));
        cluster.settle();
        cluster.pass(Duration::from_secs_f64(ttl as f64 * silent), true);
        let Some((Some(left), _)) = cluster.left_and_checkpoint(7) else { return Ok(()) };
        cluster.elect(1, 0);
        cluster.settle();
        let (Some(now_left), _) = cluster.left_and_checkpoint(7).unwrap() else { panic!("it leads") };
        prop_assert!(now_left >= left, "{now_left} of {left}");
        prop_assert!(now_left <= (2 * left + 4).min(left + 302), "{now_left} of {left}");
    }
}

#[test]
fn a_healthy_client_costs_no_entry_of_the_log() {
    let mut cluster = Cluster::new();
    cluster.settle();
    for id in 1..=10 {
        cluster.propose(Command::LeaseGrant(LeaseGrantRequest { id, ttl: 60 }));
    }
    cluster.settle();
    let entries = cluster.log.len();
    for _ in 0..100 {
        cluster.pass(Duration::from_secs(20), true);
        for id in 1..=10 {
            assert_eq!(cluster.renew(id), Some(Renewal::Renewed { ttl: 60, checkpointed: false }));
        }
    }
    assert_eq!(cluster.log.len(), entries);
}

#[test]
fn a_renewal_clears_the_checkpoint_before_it_is_answered() {
    let mut cluster = Cluster::new();
    cluster.settle();
    cluster.propose(Command::LeaseGrant(LeaseGrantRequest { id: 7, ttl: 60 }));
    cluster.settle();
    // On its way, and not applied: the next leader will have it.
    cluster.pass(Duration::from_secs(31), false);
    assert_eq!(cluster.left_and_checkpoint(7), Some((Some(29), 0)));
    assert_eq!(cluster.renew(7), Some(Renewal::Renewed { ttl: 60, checkpointed: true }));
    cluster.commit(1);
    assert_eq!(cluster.left_and_checkpoint(7), Some((Some(60), 30)));
    cluster.commit(1);
    assert_eq!(cluster.left_and_checkpoint(7), Some((Some(60), 0)));
    assert_eq!(cluster.renew(7), Some(Renewal::Renewed { ttl: 60, checkpointed: false }));
}

#[test]
fn a_renewal_reckons_with_a_checkpoint_that_is_decided_and_not_in_the_log_yet() {
    let mut cluster = Cluster::new();
    cluster.settle();
    cluster.propose(Command::LeaseGrant(LeaseGrantRequest { id: 7, ttl: 60 }));
    cluster.settle();
    cluster.now = cluster.now + Duration::from_secs(30);
    let due = cluster.machines[cluster.leader].due(cluster.now);
    let half = LeaseCheckpoint { id: 7, remaining_ttl: 30 };
    assert_eq!(due, [Command::LeaseCheckpoint(vec![half])]);
    // What is read is answered before what is due goes into the log.
    assert_eq!(cluster.machines[cluster.leader].attend(Query::LeaseRenew { id: 7 }), {
        Ok(Answer::LeaseRenewal(Renewal::Renewed { ttl: 60, checkpointed: true }))
    });
    for command in due {
        assert!(cluster.append(command, false));
    }
    assert_eq!(cluster.renew(7), Some(Renewal::Renewed { ttl: 60, checkpointed: true }));
    cluster.settle();
    assert_eq!(cluster.left_and_checkpoint(7), Some((Some(60), 0)));
    assert_eq!(cluster.renew(7), Some(Renewal::Renewed { ttl: 60, checkpointed: false }));
}

#[test]
fn nobody_but_the_leader_keeps_time() {
    let mut follower = Keyspace::<keyspace::MemoryValues>::new();
    let position = |index| Position::new(1, index);
    follower.apply(position(1), Command::LeaseGrant(LeaseGrantRequest { id: 7, ttl: 5 }), &mut Vec::new()).unwrap();
    follower.tell_time(at(100), Wall::default());
    assert_eq!(follower.deadline(), Instant::NEVER);
    assert_eq!(follower.due(at(100)), []);
    assert_eq!(follower.attend(Query::LeaseRenew { id: 7 }), Ok(Answer::LeaseRenewal(Renewal::NotLeader)));
    follower.lead(at(100));
    assert_eq!(follower.deadline(), at(103), "half of what is left, with the extension");
    assert_eq!(follower.due(at(106)), [Command::LeaseRevoke { id: 7 }]);
    assert_eq!(follower.attend(Query::LeaseRenew { id: 7 }), Ok(Answer::LeaseRenewal(Renewal::Expired)));
    follower.abandon();
    assert_eq!(follower.deadline(), Instant::NEVER);
    assert_eq!(follower.due(at(200)), []);
}

#[test]
fn leases_that_run_out_together_end_a_hundred_at_a_time() {
    let mut cluster = Cluster::new();
    cluster.settle();
    for id in 1..=2000 {
        cluster.propose(Command::LeaseGrant(LeaseGrantRequest { id, ttl: 5 }));
    }
    cluster.settle();
    cluster.pass(Duration::from_millis(4999), true);
    let machine = &mut cluster.machines[0];
    let mut ended = Vec::new();
    while ended.len() < 2000 {
        let now = machine.deadline();
        let due = machine.due(now);
        let ends = due.iter().filter(|command| matches!(command, Command::LeaseRevoke { .. })).count();
        assert!((1..=100).contains(&ends), "{due:?}");
        ended.extend(std::iter::repeat_n(now, ends));
    }
    assert_eq!((ended[0], ended[1999]), (at(5), at(5) + Duration::from_millis(1900)));
}

#[test]
fn after_a_change_of_leader_they_do_not_run_out_all_at_once() {
    let mut cluster = Cluster::new();
    cluster.settle();
    for id in 1..=2000 {
        cluster.propose(Command::LeaseGrant(LeaseGrantRequest { id, ttl: 60 }));
    }
    cluster.settle();
    cluster.elect(1, 0);
    cluster.settle();
    let mut left = |id| cluster.left_and_checkpoint(id).unwrap().0.unwrap();
    assert_eq!((left(1), left(750), left(751), left(1500), left(2000)), (61, 61, 62, 62, 63));
}

#[test]
fn a_member_that_was_told_so_makes_no_checkpoints() {
    let mut cluster = Cluster::new();
    cluster.tell_all(LeaseSettings { checkpoints: false, ..LeaseSettings::default() });
    cluster.settle();
    cluster.propose(Command::LeaseGrant(LeaseGrantRequest { id: 7, ttl: 60 }));
    cluster.settle();
    let entries = cluster.log.len();
    cluster.pass(Duration::from_secs(59), true);
    assert_eq!((cluster.log.len(), cluster.exists(7)), (entries, true));
    cluster.pass(Duration::from_secs(1), true);
    assert_eq!((cluster.log.len(), cluster.exists(7)), (entries + 1, false));
}

#[test]
fn an_end_that_an_alarm_forbids_is_tried_again() {
    let mut cluster = Cluster::new();
    cluster.settle();
    cluster.propose(Command::LeaseGrant(LeaseGrantRequest { id: 7, ttl: 5 }));
    let alarm = |action| Command::Alarm(AlarmRequest { action, member: 1, alarm: AlarmKind::Corrupt });
    cluster.propose(alarm(AlarmAction::Activate));
    cluster.settle();
    cluster.pass(Duration::from_secs(10), true);
    assert!(cluster.exists(7));
    cluster.propose(alarm(AlarmAction::Deactivate));
    cluster.settle();
    assert_eq!(cluster.machines[0].status().alarms, Vec::<Alarm>::new());
    cluster.pass(Duration::from_secs(3), true);
    assert!(!cluster.exists(7));
    let Ok(Answer::LeaseTally(tally)) = cluster.machines[0].read(Query::LeaseTally) else { panic!("no tally") };
    assert_eq!((tally.granted, tally.revoked, tally.expired), (1, 1, 1));
}
