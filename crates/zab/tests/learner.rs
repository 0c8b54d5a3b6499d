//! A learner and its leader's words, one at a time: discovery, each kind of synchronization, broadcast.

mod support;

use consensus::{Consensus as _, DropReason, Dropped, How, Input, Link, Note, Output, Promise, ReadId, SessionNote};
use support::single::Single;
use support::{Durable, at, entry, millis};
use zab::{Message, Packet, State};

fn disk() -> Durable {
    Durable::with(4, vec![entry(3, 1, "a"), entry(4, 1, "b"), entry(4, 2, "c")])
}

fn epochs(single: &Single) -> Vec<Option<(u64, u64)>> {
    single.writes.iter().map(|persist| persist.promise.map(|Promise { epoch, current, .. }| (epoch, current))).collect()
}

#[test]
fn an_epoch_is_on_disk_before_it_is_acknowledged() {
    let mut single = Single::new(1, 3, 0, &disk(), 9);
    single.follow(3);
    assert_eq!(single.packets(3), [Packet::LearnerInfo { accepted: 4, observer: false, config_version: 0 }]);
    single.hear(3, Packet::LeaderInfo { epoch: 5 });
    assert_eq!(epochs(&single), [Some((5, 4))]);
    assert_eq!(single.packets(3), []);
    single.sync();
    assert_eq!(single.packets(3), [Packet::AckEpoch { current: Some(4), last: Some(at(4, 2)) }]);
}

#[test]
fn an_epoch_that_was_accepted_before_is_acknowledged_with_minus_one_and_an_older_one_not_at_all() {
    let mut single = Single::new(1, 3, 0, &disk(), 9);
    single.follow(3);
    single.out.clear();
    single.hear(3, Packet::LeaderInfo { epoch: 4 });
    assert_eq!(single.packets(3), [Packet::AckEpoch { current: None, last: Some(at(4, 2)) }]);

    let mut single = Single::new(1, 3, 0, &disk(), 9);
    single.follow(3);
    single.hear(3, Packet::LeaderInfo { epoch: 3 });
    assert_eq!(single.zab.state(), State::Looking);
    assert!(single.decisions().contains(&"left 3: it leads epoch 3, and this server has accepted 4".to_owned()));
}

#[test]
fn diff_continues_the_log_and_newleader_waits_for_the_disk() {
    let mut single = Single::new(1, 3, 0, &disk(), 9);
    single.follow_in(3, 5);
    single.hear(3, Packet::Diff { upto: at(4, 3) });
    single.hear(3, Packet::Proposal { entry: entry(4, 3, "d") });
    single.hear(3, Packet::Commit { position: at(4, 3) });
    // One that is not committed yet.
    single.hear(3, Packet::Proposal { entry: entry(5, 1, "e") });
    single.hear(3, Packet::NewLeader { epoch: 5 });
    assert_eq!(epochs(&single), [None, None, Some((5, 5))], "the log, then currentEpoch");
    assert_eq!(single.packets(3), [], "nothing is acknowledged before it is on disk");
    single.sync();
    assert_eq!(single.packets(3), [Packet::Ack { position: at(5, 0) }]);
    assert_eq!(single.apply(), [], "history is not state until a quorum has it");
    assert!(!single.zab.serving());

    single.hear(3, Packet::UpToDate);
    let (again, open) = (Packet::Ack { position: at(5, 0) }, Packet::Ack { position: at(5, 1) });
    assert_eq!(single.packets(3), [again, open], "acknowledged again, then what was open");
    assert_eq!(single.apply(), [at(3, 1), at(4, 1), at(4, 2), at(4, 3)]);
    assert!(single.zab.serving());
    assert_eq!(single.zab.vote().epoch, 5, "late joiners hear of the new epoch (ZOOKEEPER-1732)");

    single.hear(3, Packet::Commit { position: at(5, 1) });
    single.hear(3, Packet::Proposal { entry: entry(5, 2, "f") });
    assert_eq!(single.packets(3), []);
    single.sync();
    assert_eq!(single.packets(3), [Packet::Ack { position: at(5, 2) }]);
    assert_eq!(single.apply(), [at(5, 1)], "proposed is not committed");
}

#[test]
fn trunc_cuts_the_log() {
    let mut single = Single::new(1, 3, 0, &disk(), 9);
    single.follow_in(3, 5);
    single.hear(3, Packet::Truncate { to: at(4, 1) });
    let cut = single.writes[0].append.clone().expect("the log is cut");
    assert_eq!((cut.after, cut.entries), (at(4, 1), vec![]));
    single.hear(3, Packet::Proposal { entry: entry(5, 1, "x") });
    single.hear(3, Packet::Commit { position: at(5, 1) });
    single.hear(3, Packet::NewLeader { epoch: 5 });
    single.sync();
    single.hear(3, Packet::UpToDate);
    assert_eq!(single.apply(), [at(3, 1), at(4, 1), at(5, 1)]);
}

#[test]
fn snap_comes_into_force_with_what_is_committed_after_it() {
    let mut single = Single::new(1, 3, 0, &disk(), 9);
    single.follow_in(3, 5);
    let message = Message::Packet(Packet::Snapshot { position: at(4, 7) });
    single.step(Input::SnapshotArrived { from: support::id(3), message });
    // Java forwards from before it wrote the snapshot: what that holds comes once more.
    single.hear(3, Packet::Proposal { entry: entry(4, 7, "g") });
    single.hear(3, Packet::Commit { position: at(4, 7) });
    single.hear(3, Packet::Proposal { entry: entry(4, 8, "h") });
    single.hear(3, Packet::Commit { position: at(4, 8) });
    single.hear(3, Packet::Proposal { entry: entry(5, 1, "i") });
    single.hear(3, Packet::NewLeader { epoch: 5 });
    let installs: Vec<_> = single.out.iter().filter(|out| matches!(out, Output::InstallSnapshot { .. })).collect();
    let [Output::InstallSnapshot { snapshot, entries }] = installs[..] else { panic!("{installs:?}") };
    assert_eq!((snapshot.position, entries), (at(4, 7), &vec![entry(4, 8, "h")]));
    assert!(single.writes.is_empty());
    single.install(at(4, 8));
    assert_eq!(single.writes[0].append.as_ref().expect("what is open").entries, [entry(5, 1, "i")]);
    assert_eq!(single.packets(3), []);
    single.sync();
    assert_eq!(single.packets(3), [Packet::Ack { position: at(5, 0) }]);
    single.hear(3, Packet::UpToDate);
    single.out.clear();
    single.hear(3, Packet::Commit { position: at(5, 1) });
    assert_eq!(single.apply(), [at(5, 1)], "the snapshot holds the rest");
}

#[test]
fn what_is_applied_cannot_be_cut_so_a_snapshot_is_asked_for() {
    let mut durable = disk();
    durable.snapshot = (at(4, 2), durable.log.clone());
    let mut single = Single::new(1, 3, 0, &durable, 9);
    single.follow_in(3, 5);
    single.hear(3, Packet::Truncate { to: at(4, 1) });
    assert!(single.disconnected(3));
    assert_eq!(single.zab.leader(), Some(support::id(3)), "it stays with its leader");
    single.out.clear();
    single.wait(millis(100));
    assert!(single.out.contains(&Output::Connect { peer: support::id(3), link: Link::Quorum }));
    single.link(3);
    single.packets(3);
    single.hear(3, Packet::LeaderInfo { epoch: 5 });
    assert_eq!(single.packets(3), [Packet::AckEpoch { current: None, last: None }]);
}

#[test]
fn an_observer_is_informed_and_acknowledges_nothing() {
    let mut single = Single::new(4, 3, 1, &disk(), 9);
    assert_eq!(single.notifications(2)[0].vote, zab::Vote::NOBODY);
    single.follow(3);
    assert_eq!(single.packets(3), [Packet::LearnerInfo { accepted: 4, observer: true, config_version: 0 }]);
    single.hear(3, Packet::LeaderInfo { epoch: 5 });
    single.hear(3, Packet::Diff { upto: at(4, 2) });
    single.hear(3, Packet::NewLeader { epoch: 5 });
    single.sync();
    single.hear(3, Packet::UpToDate);
    single.packets(3);
    assert_eq!(single.apply().len(), 3);
    single.hear(3, Packet::Inform { entry: entry(5, 1, "x") });
    assert_eq!(single.apply(), [], "not before it is in its own log");
    single.sync();
    assert_eq!(single.apply(), [at(5, 1)]);
    assert_eq!(single.packets(3), []);
    assert_eq!(single.zab.state(), State::Observing);
}

#[test]
fn a_learner_whose_disk_hangs_serves_no_more_until_it_answers() {
    // Server 3 is a voter here, server 4 an observer, whose acknowledgements nobody would miss.
    for (me, inform) in [(1, false), (4, true)] {
        let mut single = Single::new(me, 3, 1, &disk(), 9);
        single.follow_in(3, 5);
        single.hear(3, Packet::Diff { upto: at(4, 2) });
        single.hear(3, Packet::NewLeader { epoch: 5 });
        single.sync();
        single.hear(3, Packet::UpToDate);
        single.apply();
        assert!(single.zab.serving());
        let entry = entry(5, 1, "d");
        single.hear(3, if inform { Packet::Inform { entry } } else { Packet::Proposal { entry } });
        single.wait(millis(9_000));
        single.hear(3, Packet::Ping { last: at(5, 1), touched: vec![] });
        assert!(single.zab.serving());
        single.wait(millis(1_000));
        assert!(!single.zab.serving());
        assert!(single.disconnected(3));
        assert!(single.decisions().contains(&"left 3: its own log write has been open for 10.0 s".to_owned()));
        single.wait(millis(1_000));
        assert_eq!(single.notifications(2), [], "it looks for nobody whom it could not follow");
        single.sync();
        assert_eq!(single.notifications(2).len(), 1);
    }
}

#[test]
fn nonsense_costs_the_link() {
    let up_to_date = || {
        let mut single = Single::new(1, 3, 0, &disk(), 9);
        single.follow_in(3, 5);
        for packet in [Packet::Diff { upto: at(4, 2) }, Packet::NewLeader { epoch: 5 }] {
            single.hear(3, packet);
        }
        single.sync();
        single.hear(3, Packet::UpToDate);
        single.out.clear();
        single
    };
    let nonsense = [
        Packet::Proposal { entry: entry(5, 2, "gap") },
        Packet::Proposal { entry: entry(6, 1, "epoch") },
        Packet::Commit { position: at(5, 1) },
        Packet::NewLeader { epoch: 5 },
        Packet::UpToDate,
        Packet::Diff { upto: at(5, 1) },
        Packet::LeaderInfo { epoch: 6 },
        Packet::Ack { position: at(5, 1) },
        Packet::Inform { entry: entry(5, 1, "to a voter") },
        Packet::Activate { position: at(5, 1) },
    ];
    for packet in nonsense {
        let mut single = up_to_date();
        single.hear(3, packet.clone());
        assert!(single.disconnected(3), "{packet:?}");
        assert_eq!(single.zab.state(), State::Looking, "{packet:?}");
        assert!(single.decisions()[0].starts_with("left 3: "), "{packet:?}");
    }
}

#[test]
fn a_learner_leaves_a_silent_leader_after_sync_limit_and_a_dead_one_at_once() {
    let mut single = Single::new(1, 3, 0, &disk(), 9);
    single.follow_in(3, 5);
    single.hear(3, Packet::Diff { upto: at(4, 2) });
    single.hear(3, Packet::NewLeader { epoch: 5 });
    single.sync();
    single.hear(3, Packet::UpToDate);
    single.wait(millis(9_999));
    single.hear(3, Packet::Ping { last: at(5, 0), touched: vec![] });
    single.wait(millis(9_999));
    assert_eq!(single.zab.state(), State::Following);
    single.wait(millis(1));
    assert_eq!(single.zab.state(), State::Looking);
    assert!(single.decisions().contains(&"left 3: heard nothing for 10.0 s".to_owned()));

    single.follow(2);
    single.step(Input::Disconnected { peer: support::id(2), link: Link::Quorum, how: How::Refused });
    assert_eq!(single.zab.state(), State::Looking);
    assert!(single.decisions().contains(&"left 2: no process listens there any more".to_owned()));
}

#[test]
fn a_leader_that_does_not_listen_yet_is_tried_five_times() {
    let mut single = Single::new(1, 3, 0, &disk(), 9);
    single.follow(3);
    single.step(Input::Disconnected { peer: support::id(3), link: Link::Quorum, how: How::Lost });
    let vote = single.zab.vote();
    let round = single.zab.round();
    assert_eq!(single.zab.state(), State::Looking, "a link that stood is left at once");
    let vote = zab::Vote { epoch: 9, ..vote };
    for voter in [2, 3] {
        single.notify(voter, State::Looking, vote, round);
    }
    for attempt in 1..=5 {
        assert_eq!(single.zab.leader(), Some(support::id(3)), "attempt {attempt}");
        single.out.clear();
        single.step(Input::Disconnected { peer: support::id(3), link: Link::Quorum, how: How::Refused });
        single.wait(millis(100));
    }
    assert_eq!(single.zab.state(), State::Looking);
}

#[test]
fn pings_are_answered_with_the_sessions_heard_from() {
    let mut single = Single::new(1, 3, 0, &disk(), 9);
    let leader = support::id(3);
    single.follow_in(3, 5);
    single.hear(3, Packet::Diff { upto: at(4, 2) });
    single.hear(3, Packet::Ping { last: at(5, 0), touched: vec![] });
    single.hear(3, Packet::NewLeader { epoch: 5 });
    single.hear(3, Packet::Ping { last: at(5, 0), touched: vec![] });
    assert_eq!(single.packets(3), [], "the leader expects an ACK and nothing else");
    single.sync();
    single.hear(3, Packet::UpToDate);
    single.packets(3);
    let touched = |sessions| Note::Sessions(SessionNote::Touched(sessions));
    single.step(Input::Tell { to: leader, note: touched(vec![(7, 4_000), (9, 6_000)]) });
    single.step(Input::Tell { to: leader, note: touched(vec![(7, 4_000)]) });
    single.hear(3, Packet::Ping { last: at(5, 0), touched: vec![] });
    assert_eq!(single.packets(3), [Packet::Ping { last: at(5, 0), touched: vec![(7, 4_000), (9, 6_000)] }]);
    single.hear(3, Packet::Ping { last: at(5, 0), touched: vec![] });
    assert_eq!(single.packets(3), [Packet::Ping { last: at(5, 0), touched: vec![] }]);
}

#[test]
fn a_read_waits_for_its_sync_and_for_what_came_before_it() {
    let mut single = Single::new(1, 3, 0, &disk(), 9);
    single.step(Input::Read { id: ReadId(1) });
    let refused = Output::Drop { what: Dropped::Read(ReadId(1)), reason: DropReason::NoLeader };
    assert!(single.out.contains(&refused));
    single.follow_in(3, 5);
    single.hear(3, Packet::Diff { upto: at(4, 2) });
    single.hear(3, Packet::NewLeader { epoch: 5 });
    single.sync();
    single.hear(3, Packet::UpToDate);
    single.apply();
    single.packets(3);
    single.step(Input::Read { id: ReadId(2) });
    assert_eq!(single.packets(3), [Packet::SyncRequest]);
    single.hear(3, Packet::Proposal { entry: entry(5, 1, "x") });
    single.hear(3, Packet::Commit { position: at(5, 1) });
    single.hear(3, Packet::Sync);
    let ready = Output::ReadReady { id: ReadId(2) };
    assert!(!single.out.contains(&ready), "committed, but not applied");
    single.sync();
    single.apply();
    assert!(single.out.contains(&ready));
    single.step(Input::Read { id: ReadId(3) });
    single.step(Input::Disconnected { peer: support::id(3), link: Link::Quorum, how: How::Lost });
    assert!(single.out.contains(&Output::Drop { what: Dropped::Read(ReadId(3)), reason: DropReason::LeaderChanged }));
}
