//! A leader and its learners' words, one at a time: discovery, each kind of synchronization, broadcast, limits.

mod support;

use bytes::Bytes;
use consensus::{Configuration, Consensus as _, Fetch, Input, Link, NodeId, Note, Output, Position, ReadId, Reader, SessionNote};
use support::single::Single;
use support::{Durable, at, entry, id, millis};
use zab::{Config, Decision, Downfall, Packet, State, Vote};

/// (2,1) (2,2) (4,1) (4,2), in epoch 4.
fn disk() -> Durable {
    Durable::with(4, vec![entry(2, 1, "a"), entry(2, 2, "b"), entry(4, 1, "c"), entry(4, 2, "d")])
}

fn pair(epoch: u64, index: u64, data: &str) -> [Packet; 2] {
    [Packet::Proposal { entry: entry(epoch, index, data) }, Packet::Commit { position: at(epoch, index) }]
}

fn packets(parts: &[&[Packet]]) -> Vec<Packet> {
    parts.concat()
}

/// Server 3 of three leads epoch 5, and 2 has acknowledged NEWLEADER.
fn established() -> Single {
    let mut single = Single::new(3, 3, 1, &disk(), 9);
    single.lead_with(2, 4, Some(at(4, 2)));
    single.hear(2, Packet::Ack { position: at(5, 0) });
    single.apply();
    single.hear(2, Packet::Ack { position: at(5, 0) });
    single.out.clear();
    single
}

/// What server 2 is sent if this is the last that it has.
fn sync_of(last: Option<Position>, tail: usize) -> Vec<Packet> {
    let mut single = Single::new(3, 3, 0, &disk(), tail);
    single.lead_with(2, 2, last);
    answer_fetches(&mut single, &disk());
    single.packets(2)
}

fn answer_fetches(single: &mut Single, disk: &Durable) {
    loop {
        let fetches = single.fetches();
        if fetches.is_empty() {
            return;
        }
        for Fetch { reader, first, last, .. } in fetches {
            let floor = disk.log.iter().rposition(|entry| entry.position.zxid() <= first).unwrap_or(0);
            // A piece at a time.
            let entries = disk.log[floor..].iter().filter(|entry| entry.position.zxid() <= last).take(2).cloned().collect();
            single.step(Input::Fetched { reader, entries });
        }
    }
}

#[test]
fn a_new_epoch_is_beyond_all_that_a_quorum_has_accepted() {
    let mut single = Single::new(3, 5, 0, &disk(), 9);
    single.elect_me();
    for (peer, accepted) in [(1, 4), (2, 8)] {
        assert_eq!(single.zab.accepted_epoch(), 4);
        single.link(peer);
        single.hear(peer, Packet::LearnerInfo { accepted, observer: false, config_version: 0 });
    }
    assert_eq!(single.zab.accepted_epoch(), 9);
    assert_eq!(single.packets(1), [], "not before it is on this server's own disk");
    single.sync();
    assert_eq!(single.packets(1), [Packet::LeaderInfo { epoch: 9 }]);
    // -1 says that it was accepted before, and does not count; nor does a database that nobody trusts.
    single.hear(1, Packet::AckEpoch { current: None, last: Some(at(4, 1)) });
    single.hear(2, Packet::AckEpoch { current: Some(4), last: None });
    assert_eq!(single.zab.current_epoch(), 4);
    single.link(4);
    single.hear(4, Packet::LearnerInfo { accepted: 4, observer: false, config_version: 0 });
    single.hear(4, Packet::AckEpoch { current: Some(4), last: Some(at(4, 1)) });
    assert_eq!(single.zab.current_epoch(), 4);
    single.link(5);
    single.hear(5, Packet::LearnerInfo { accepted: 4, observer: false, config_version: 0 });
    single.hear(5, Packet::AckEpoch { current: Some(4), last: Some(at(4, 1)) });
    assert_eq!(single.zab.current_epoch(), 9);
}

#[test]
fn who_has_fresher_data_should_lead() {
    let mut single = Single::new(3, 3, 0, &disk(), 9);
    single.lead_with(2, 4, Some(at(4, 3)));
    assert_eq!(single.zab.state(), State::Looking);
    let said = "stopped leading epoch 5: 2 has fresher data, epoch 4 zxid 0x400000003, mine: epoch 4 zxid 0x400000002";
    assert!(single.decisions().contains(&said.to_owned()));
    // Java's servers call themselves (epoch, 0) after an epoch in which nothing was written: that is no data.
    let mut single = Single::new(3, 3, 0, &Durable::with(4, vec![entry(3, 1, "a")]), 9);
    single.lead_with(2, 4, Some(at(4, 0)));
    assert_eq!(single.packets(2), [Packet::Diff { upto: at(3, 1) }, Packet::NewLeader { epoch: 5 }]);
}

#[test]
fn diff_for_who_has_a_part_of_the_history() {
    let newleader = [Packet::NewLeader { epoch: 5 }];
    let diff = [Packet::Diff { upto: at(4, 2) }];
    let (c, d) = (pair(4, 1, "c"), pair(4, 2, "d"));
    // From memory, and from the disk in pieces.
    for tail in [0, 1, 9] {
        assert_eq!(sync_of(Some(at(4, 2)), tail), packets(&[&diff, &newleader]), "nothing is missing");
        assert_eq!(sync_of(Some(at(4, 1)), tail), packets(&[&diff, &d, &newleader]));
        assert_eq!(sync_of(Some(at(2, 2)), tail), packets(&[&diff, &c, &d, &newleader]));
        assert_eq!(sync_of(Some(at(2, 1)), tail), packets(&[&diff, &pair(2, 2, "b"), &c, &d, &newleader]));
        assert_eq!(sync_of(Some(at(3, 0)), tail), packets(&[&diff, &c, &d, &newleader]), "joined epoch 3, got nothing of it");
    }
}

#[test]
fn trunc_for_who_has_what_the_leader_has_never_seen() {
    let newleader = [Packet::NewLeader { epoch: 5 }];
    let trunc = |to| [Packet::Truncate { to }];
    let (c, d) = (pair(4, 1, "c"), pair(4, 2, "d"));
    for tail in [0, 1, 9] {
        assert_eq!(sync_of(Some(at(2, 7)), tail), packets(&[&trunc(at(2, 2)), &c, &d, &newleader]));
        assert_eq!(sync_of(Some(at(4, 9)), tail), packets(&[&trunc(at(4, 2)), &newleader]));
    }
}

/// Server 1 came back with the first transaction of an epoch in which nobody else got any, after 3 and 2 had begun another.
#[test]
fn trunc_across_epochs_for_who_is_beyond_all_of_the_history() {
    for tail in [0, 1, 9] {
        let mut single = Single::new(3, 3, 0, &Durable { promise: disk_in(5), ..disk() }, tail);
        single.lead_with(2, 5, Some(at(4, 2)));
        single.link(1);
        single.hear(1, Packet::LearnerInfo { accepted: 5, observer: false, config_version: 0 });
        single.hear(1, Packet::AckEpoch { current: Some(5), last: Some(at(5, 1)) });
        let sent = [Packet::LeaderInfo { epoch: 6 }, Packet::Truncate { to: at(4, 2) }, Packet::NewLeader { epoch: 6 }];
        assert_eq!(single.packets(1), sent, "a SNAP would leave (5,1) in the log of a Java server");
    }
}

fn disk_in(epoch: u64) -> consensus::Promise {
    consensus::Promise { epoch, current: epoch, ..consensus::Promise::default() }
}

/// As Java's servers do up to 3.8.4.
#[test]
fn a_follower_may_acknowledge_all_that_it_was_brought_up_to_date_with() {
    let mut single = Single::new(3, 3, 0, &disk(), 9);
    single.lead_with(2, 2, Some(at(2, 1)));
    single.hear(2, Packet::Ack { position: at(2, 2) });
    single.hear(2, Packet::Ack { position: at(4, 1) });
    assert_eq!(single.zab.established(), None, "it is NEWLEADER that counts");
    single.hear(2, Packet::Ack { position: at(5, 0) });
    assert_eq!(single.zab.established(), Some(5));
    single.hear(2, Packet::Ack { position: at(4, 2) });
    single.apply();
    single.hear(2, Packet::Ack { position: at(5, 0) });
    assert!(!single.disconnected(2));
    // One that comes back while a transaction is open acknowledges that, too, perhaps before NEWLEADER: it is not told again.
    single.propose(&["x"]);
    single.sync();
    single.link(1);
    single.hear(1, Packet::LearnerInfo { accepted: 4, observer: false, config_version: 0 });
    single.hear(1, Packet::AckEpoch { current: Some(4), last: Some(at(4, 2)) });
    single.hear(1, Packet::Ack { position: at(5, 1) });
    single.hear(1, Packet::Ack { position: at(5, 0) });
    assert!(!single.disconnected(1));
    assert_eq!(single.zab.committed(), at(5, 1));
    single.hear(1, Packet::Ack { position: at(5, 9) });
    assert!(single.disconnected(1), "nobody has proposed that");
}

#[test]
fn snap_for_who_cannot_cut_or_is_too_far_behind() {
    let snap = |last, tail| {
        let mut single = Single::new(3, 3, 0, &disk(), tail);
        single.lead_with(1, 4, Some(at(4, 2)));
        single.link(2);
        single.hear(2, Packet::LearnerInfo { accepted: 4, observer: false, config_version: 0 });
        single.packets(2);
        single.hear(2, Packet::AckEpoch { current: Some(2), last });
        let mut durable = disk();
        if last == Some(at(1, 1)) {
            durable.log.remove(0);
        }
        answer_fetches(&mut single, &durable);
        let sent: Vec<_> = single.out.iter().filter(|out| matches!(out, Output::SendSnapshot { .. })).collect();
        let message = zab::Message::Packet(Packet::Snapshot { position: at(0, 0) });
        assert_eq!(sent, [&Output::SendSnapshot { to: id(2), message }], "{last:?}, {tail}");
        assert_eq!(single.packets(2), [], "history follows when the snapshot is through");
        single.step(Input::SnapshotSent { to: id(2), delivered: true });
        answer_fetches(&mut single, &disk());
        let sent = single.packets(2);
        assert_eq!(sent.len(), 4 * 2 + 1, "everything after the snapshot, and NEWLEADER");
        assert_eq!(sent[0], Packet::Proposal { entry: entry(2, 1, "a") });
    };
    for tail in [0, 1, 9] {
        snap(None, tail);
        // (3,7) may have taken the place of (2,2).
        snap(Some(at(3, 7)), tail);
        snap(Some(at(1, 1)), tail);
    }
}

#[test]
fn an_epoch_is_established_once_a_quorum_has_its_history() {
    let mut single = Single::new(3, 3, 1, &disk(), 9);
    single.lead_with(2, 4, Some(at(4, 2)));
    assert_eq!(single.zab.next(), None);
    single.hear(2, Packet::Ack { position: at(5, 0) });
    assert!(single.decisions().contains(&"leads epoch 5: 2 of 3 have its history up to 0x400000002".to_owned()));
    assert_eq!(single.zab.next(), None, "its own machine has to apply it first");
    assert_eq!(single.apply(), [at(2, 1), at(2, 2), at(4, 1), at(4, 2)]);
    assert_eq!(single.zab.next(), Some(at(5, 1)));
    assert!(single.zab.serving());
    assert_eq!(single.packets(2).last(), Some(&Packet::UpToDate));
    assert_eq!(single.zab.vote().epoch, 5);
}

#[test]
fn a_proposal_is_committed_once_a_quorum_has_it_on_disk() {
    let mut single = established();
    single.propose(&["x", "y"]);
    assert_eq!(single.writes.len(), 1, "written as one");
    let proposals = [Packet::Proposal { entry: entry(5, 1, "x") }, Packet::Proposal { entry: entry(5, 2, "y") }];
    assert_eq!(single.packets(2), proposals);
    single.hear(2, Packet::Ack { position: at(5, 1) });
    assert_eq!(single.zab.committed(), at(4, 2), "its own disk has not written yet");
    single.sync();
    assert_eq!(single.packets(2), [Packet::Commit { position: at(5, 1) }]);
    assert_eq!(single.apply(), [at(5, 1)]);
    single.hear(2, Packet::Ack { position: at(5, 2) });
    assert_eq!(single.packets(2), [Packet::Commit { position: at(5, 2) }]);
}

#[test]
fn who_comes_late_gets_what_is_committed_as_such_and_what_is_open_if_it_votes() {
    let mut single = established();
    single.propose(&["x", "y"]);
    single.sync();
    single.hear(2, Packet::Ack { position: at(5, 1) });
    for (peer, observer) in [(1, false), (4, true)] {
        single.link(peer);
        single.hear(peer, Packet::LearnerInfo { accepted: 4, observer, config_version: 0 });
        single.hear(peer, Packet::AckEpoch { current: Some(4), last: Some(at(4, 2)) });
        let mut expected = vec![Packet::LeaderInfo { epoch: 5 }, Packet::Diff { upto: at(5, 1) }];
        expected.extend(pair(5, 1, "x"));
        expected.extend((!observer).then(|| Packet::Proposal { entry: entry(5, 2, "y") }));
        expected.push(Packet::NewLeader { epoch: 5 });
        assert_eq!(single.packets(peer), expected);
        single.hear(peer, Packet::Ack { position: at(5, 0) });
        assert_eq!(single.packets(peer), [Packet::UpToDate]);
    }
    single.hear(1, Packet::Ack { position: at(5, 2) });
    assert_eq!(single.packets(1), [Packet::Commit { position: at(5, 2) }]);
    assert_eq!(single.packets(4), [Packet::Inform { entry: entry(5, 2, "y") }]);
}

#[test]
fn what_was_acknowledged_over_a_link_that_broke_does_not_count() {
    // It may be told to cut it before it has it again.
    let mut single = established();
    single.propose(&["x"]);
    single.hear(2, Packet::Ack { position: at(5, 1) });
    single.step(Input::Disconnected { peer: id(2), link: Link::Quorum, how: consensus::How::Lost });
    single.sync();
    assert_eq!(single.zab.committed(), at(4, 2));
    single.link(2);
    single.hear(2, Packet::LearnerInfo { accepted: 5, observer: false, config_version: 0 });
    single.hear(2, Packet::AckEpoch { current: None, last: Some(at(5, 1)) });
    // It would have to cut the first of the epoch, and may not have what is before it.
    assert!(single.out.iter().any(|out| matches!(out, Output::SendSnapshot { .. })));
}

#[test]
fn a_snapshot_whose_link_broke_is_sent_again() {
    // Nobody tells what became of the first: nothing of a connection is told after its end.
    let mut single = established();
    for _ in 0..2 {
        single.link(1);
        single.hear(1, Packet::LearnerInfo { accepted: 4, observer: false, config_version: 0 });
        single.hear(1, Packet::AckEpoch { current: Some(2), last: None });
        let sent = single.out.extract_if(.., |out| matches!(out, Output::SendSnapshot { .. })).count();
        assert_eq!(sent, 1);
        single.step(Input::Disconnected { peer: id(1), link: Link::Quorum, how: consensus::How::Lost });
    }
}

#[test]
fn sync_comes_after_all_that_was_proposed_before_it() {
    let mut single = established();
    single.hear(2, Packet::SyncRequest);
    assert_eq!(single.packets(2), [Packet::Sync], "nothing is outstanding");
    single.propose(&["x"]);
    single.packets(2);
    single.hear(2, Packet::SyncRequest);
    single.step(Input::Read { id: ReadId(1) });
    single.sync();
    assert_eq!(single.packets(2), []);
    single.hear(2, Packet::Ack { position: at(5, 1) });
    assert_eq!(single.packets(2), [Packet::Commit { position: at(5, 1) }, Packet::Sync]);
    assert!(!single.out.contains(&Output::ReadReady { id: ReadId(1) }));
    single.apply();
    assert!(single.out.contains(&Output::ReadReady { id: ReadId(1) }));
}

#[test]
fn learners_forward_what_their_clients_want() {
    let mut single = established();
    let request = Bytes::from_static(b"create");
    single.hear(2, Packet::Request(request.clone()));
    let wanted = Note::Request(vec![(consensus::EntryKind::Command, request)]);
    assert!(single.out.contains(&Output::Told { from: id(2), note: wanted }));
    let question = SessionNote::Revalidate { session: 7, timeout: 4_000 };
    single.hear(2, Packet::Revalidate(question.clone()));
    assert!(single.out.contains(&Output::Told { from: id(2), note: Note::Sessions(question) }));
    let answer = SessionNote::Revalidated { session: 7, valid: true };
    single.step(Input::Tell { to: id(2), note: Note::Sessions(answer.clone()) });
    assert_eq!(single.packets(2), [Packet::Revalidate(answer)]);
    single.hear(2, Packet::Ping { last: at(5, 0), touched: vec![(7, 4_000)] });
    let touched = Note::Sessions(SessionNote::Touched(vec![(7, 4_000)]));
    assert!(single.out.contains(&Output::Told { from: id(2), note: touched }));
}

#[test]
fn a_leader_asks_for_signs_of_life_twice_a_tick_and_counts_them_once() {
    let mut single = established();
    for _ in 0..3 {
        single.wait(millis(1_000));
        assert_eq!(single.packets(2), [Packet::Ping { last: at(5, 0), touched: vec![] }]);
    }
    assert_eq!(single.zab.state(), State::Leading);
    single.wait(millis(7_000));
    assert_eq!(single.zab.state(), State::Looking);
    let decisions = single.decisions();
    assert!(decisions.contains(&"closed the link of 2: heard nothing for 10.0 s".to_owned()), "{decisions:?}");
    assert!(decisions.iter().any(|said| said.starts_with("stopped leading epoch 5: heard from 1 of 3 for ")), "{decisions:?}");
}

#[test]
fn a_follower_that_does_not_acknowledge_is_dismissed() {
    let mut single = established();
    single.propose(&["x"]);
    single.sync();
    for _ in 0..10 {
        single.wait(millis(1_000));
        single.hear(2, Packet::Ping { last: at(5, 1), touched: vec![] });
    }
    assert!(single.disconnected(2));
    assert!(single.decisions().contains(&"closed the link of 2: it has not acknowledged 0x500000001 for 10.0 s".to_owned()));
}

#[test]
fn a_learner_that_lags_is_dismissed() {
    let mut config = Config::new(id(3), Configuration::of((1..=3).map(NodeId)));
    config.inflight_bytes_max = 3;
    let mut single = Single::of(config, &disk(), 9);
    single.lead_with(2, 4, Some(at(4, 2)));
    single.hear(2, Packet::Ack { position: at(5, 0) });
    single.apply();
    single.propose(&["x", "y", "z"]);
    assert!(!single.disconnected(2));
    single.propose(&["w"]);
    assert!(single.disconnected(2));
}

#[test]
fn a_leader_whose_disk_hangs_gives_way_and_stands_no_more_until_it_answers() {
    let mut single = established();
    single.propose(&["x"]);
    single.wait(millis(9_000));
    single.hear(2, Packet::Ping { last: at(5, 1), touched: vec![] });
    single.wait(millis(1_000));
    assert!(single.decided(|decision| matches!(decision, Decision::StoppedLeading { because: Downfall::DiskStuck { .. }, .. })));
    single.out.clear();
    single.wait(millis(1_000));
    assert_eq!(single.notifications(2), []);
    single.sync();
    assert_eq!(single.notifications(2).len(), 1);
}

#[test]
fn who_promised_a_later_epoch_elsewhere_is_met_by_one_beyond_it() {
    let mut single = established();
    single.link(1);
    single.hear(1, Packet::LearnerInfo { accepted: 7, observer: false, config_version: 0 });
    assert_eq!(single.zab.state(), State::Looking);
    single.out.clear();
    single.lead_with(2, 5, Some(at(4, 2)));
    assert_eq!(single.zab.accepted_epoch(), 8);
}

#[test]
fn zxids_are_used_up_and_a_new_epoch_begins() {
    let mut config = Config::new(id(3), Configuration::of((1..=3).map(NodeId)));
    config.epoch_entries_max = 2;
    let mut single = Single::of(config, &disk(), 9);
    single.lead_with(2, 4, Some(at(4, 2)));
    single.hear(2, Packet::Ack { position: at(5, 0) });
    single.apply();
    single.propose(&["x", "y"]);
    assert_eq!(single.zab.next(), None);
    single.sync();
    assert_eq!(single.zab.state(), State::Leading, "what was proposed is committed first");
    single.hear(2, Packet::Ack { position: at(5, 2) });
    single.wait(millis(0));
    assert_eq!(single.zab.state(), State::Looking);
    assert!(
        single.decisions().contains(&"stopped leading epoch 5: the zxids of its epoch are used up at 0x500000002".to_owned())
    );
}

#[test]
fn a_leader_that_hands_over_votes_for_its_heir() {
    let mut single = established();
    single.propose(&["x"]);
    single.sync();
    single.hear(2, Packet::Ack { position: at(5, 1) });
    single.step(Input::TransferLeadership { to: None });
    assert!(single.disconnected(2));
    let vote = Vote { epoch: 5, zxid: 0x5_0000_0001, leader: 2 };
    assert_eq!(single.notifications(2)[0].vote, vote);
    single.notify(2, State::Looking, vote, single.zab.round());
    single.wait(millis(200));
    assert_eq!(single.zab.leader(), Some(id(2)));
    // Only once: if that comes to nothing, it stands again.
    single.link(2);
    single.step(Input::Disconnected { peer: id(2), link: Link::Quorum, how: consensus::How::Lost });
    single.wait(millis(2_000));
    assert_eq!(single.notifications(1).last().expect("it looks").vote.leader, 3);
}

#[test]
fn who_comes_too_early_waits_and_who_is_mistaken_is_turned_away() {
    let info = Packet::LearnerInfo { accepted: 4, observer: false, config_version: 0 };
    let mut single = Single::new(3, 3, 0, &disk(), 9);
    single.link(2);
    single.hear(2, info.clone());
    single.elect_me();
    assert_eq!(single.zab.accepted_epoch(), 5, "it was waiting");

    let mut single = Single::new(3, 3, 0, &disk(), 9);
    single.link(2);
    single.hear(2, info.clone());
    single.wait(millis(499));
    assert!(!single.disconnected(2));
    single.wait(millis(1));
    assert!(single.disconnected(2));

    let mut single = Single::new(3, 3, 0, &disk(), 9);
    single.link(2);
    single.hear(2, info);
    single.notify(1, State::Looking, Vote { epoch: 9, zxid: 9, leader: 1 }, 1);
    single.notify(2, State::Looking, Vote { epoch: 9, zxid: 9, leader: 1 }, 1);
    assert_eq!(single.zab.leader(), Some(id(1)));
    assert!(single.disconnected(2));
}

#[test]
fn the_machine_is_fed_from_the_disk_where_memory_does_not_reach_back() {
    let mut single = Single::new(3, 3, 0, &disk(), 1);
    single.lead_with(2, 4, Some(at(4, 2)));
    single.hear(2, Packet::Ack { position: at(5, 0) });
    let fetches = single.fetches();
    assert_eq!(fetches.len(), 1);
    assert_eq!((fetches[0].reader, fetches[0].last), (Reader::Machine, at(4, 1).zxid()));
    single.step(Input::Fetched { reader: Reader::Machine, entries: disk().log[..3].to_vec() });
    assert_eq!(single.apply(), [at(2, 1), at(2, 2), at(4, 1), at(4, 2)]);
    assert!(single.zab.serving());
}

#[test]
fn a_budget_that_is_used_up_by_what_is_known_already_grows() {
    // The answer begins with the last entry that is known; where that fills the budget alone, nothing new came, but more is there.
    let mut single = Single::new(3, 3, 0, &disk(), 0);
    single.lead_with(2, 4, Some(at(4, 2)));
    single.hear(2, Packet::Ack { position: at(5, 0) });
    single.step(Input::Fetched { reader: Reader::Machine, entries: disk().log[..1].to_vec() });
    single.apply();
    let budget = single.fetches().last().expect("it goes on").budget;
    single.step(Input::Fetched { reader: Reader::Machine, entries: disk().log[..1].to_vec() });
    assert_eq!(single.apply(), []);
    let fetches = single.fetches();
    assert_eq!((fetches[0].first, fetches[0].budget), (at(2, 1).zxid(), budget * 16));
    single.step(Input::Fetched { reader: Reader::Machine, entries: disk().log });
    assert_eq!(single.apply(), [at(2, 2), at(4, 1), at(4, 2)]);
}
