//! Members, alarms and versions.

use crate::kit::{Machine, put};
use consensus::StateMachine;
use keyspace::{
    Alarm, AlarmAction, AlarmKind, AlarmRequest, Answer, Command, Downgrade, KeyspaceError, Member, MemberChange, Query,
};

fn member(id: u64, url: &str) -> Member {
    Member { id, name: format!("m{id}"), peer_urls: vec![url.to_string()], ..Member::default() }
}

fn change(machine: &mut Machine, change: MemberChange) -> Result<(), KeyspaceError> {
    let judged = machine.keyspace.check_member_change(&change);
    let applied = machine.apply(Command::Member(change)).map(drop);
    assert_eq!(judged, applied, "what is asked before is what happens");
    applied
}

fn ids(machine: &Machine) -> (Vec<u64>, Vec<u64>) {
    match machine.keyspace.read(Query::Members) {
        Ok(Answer::Members(answer)) => (answer.members.iter().map(|member| member.id).collect(), answer.removed),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_change_is_judged_alike_by_all() {
    let mut machine = Machine::default();
    let learner = |id, url| Member { is_learner: true, ..member(id, url) };
    assert_eq!(change(&mut machine, MemberChange::Add(member(2, "http://b"))), Ok(()));
    assert_eq!(change(&mut machine, MemberChange::Add(member(1, "http://a"))), Ok(()));
    assert_eq!(change(&mut machine, MemberChange::Add(member(1, "http://x"))), Err(KeyspaceError::MemberExists));
    assert_eq!(change(&mut machine, MemberChange::Add(member(3, "http://a"))), Err(KeyspaceError::PeerUrlExists));
    assert_eq!(change(&mut machine, MemberChange::Add(learner(3, "http://c"))), Ok(()));
    assert_eq!(change(&mut machine, MemberChange::Add(learner(4, "http://d"))), Err(KeyspaceError::TooManyLearners));
    assert_eq!(change(&mut machine, MemberChange::Promote { id: 1 }), Err(KeyspaceError::MemberNotLearner));
    assert_eq!(change(&mut machine, MemberChange::Promote { id: 9 }), Err(KeyspaceError::MemberNotFound));
    assert_eq!(change(&mut machine, MemberChange::Promote { id: 3 }), Ok(()));
    let update = |id, url: &str| MemberChange::Update { id, peer_urls: vec![url.to_string()], is_learner: false };
    assert_eq!(change(&mut machine, update(1, "http://c")), Err(KeyspaceError::PeerUrlExists));
    assert_eq!(change(&mut machine, update(1, "http://a")), Ok(()), "its own");
    assert_eq!(change(&mut machine, update(9, "http://z")), Err(KeyspaceError::MemberNotFound));
    assert_eq!(change(&mut machine, MemberChange::Remove { id: 2 }), Ok(()));
    assert_eq!(change(&mut machine, MemberChange::Remove { id: 2 }), Err(KeyspaceError::MemberNotFound));
    assert_eq!(change(&mut machine, MemberChange::Add(member(2, "http://e"))), Err(KeyspaceError::MemberNotFound), "never back");
    assert_eq!(ids(&machine), (vec![1, 3], vec![2]));
}

#[test]
fn a_member_says_its_name_when_it_starts() {
    let mut machine = Machine::default();
    change(&mut machine, MemberChange::Add(member(1, "http://a"))).unwrap();
    let attributes = |id| Command::MemberAttributes { id, name: "new".into(), client_urls: vec!["http://client".into()] };
    assert_eq!(machine.apply(attributes(1)), Ok(Answer::Done));
    assert_eq!(machine.apply(attributes(9)), Ok(Answer::Done), "a stranger says nothing");
    let members: Vec<_> = machine.keyspace.members().cloned().collect();
    let expected = Member { name: "new".into(), client_urls: vec!["http://client".into()], ..member(1, "http://a") };
    assert_eq!(members, [expected]);
}

#[test]
fn versions_and_alarms_are_kept() {
    let mut machine = Machine::default();
    let downgrade = Downgrade { enabled: true, version: "3.4.0".into() };
    let alarm = |action, alarm| Command::Alarm(AlarmRequest { action, member: 1, alarm });
    machine.apply(Command::ClusterVersion("3.5.0".into())).unwrap();
    machine.apply(Command::Downgrade(downgrade.clone())).unwrap();
    machine.apply(alarm(AlarmAction::Activate, AlarmKind::Corrupt)).unwrap();
    let status = machine.keyspace.status();
    assert_eq!(status.cluster_version.as_deref(), Some("3.5.0"));
    assert_eq!(status.downgrade, downgrade);
    assert_eq!(status.alarms, [Alarm { alarm: AlarmKind::Corrupt, member: 1 }]);

    assert_eq!(machine.put(put("a", "")), Err(KeyspaceError::Corrupt));
    assert_eq!(machine.compact(1), Err(KeyspaceError::Corrupt));
    machine.apply(alarm(AlarmAction::Deactivate, AlarmKind::Corrupt)).unwrap();
    assert!(machine.put(put("a", "")).is_ok());
}
