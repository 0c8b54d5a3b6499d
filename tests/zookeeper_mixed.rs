//! Java ZooKeeper's servers and ours in one ensemble, under a load that knows what it was promised.

mod support;

use support::zookeeper::{Ensemble, Kind, Load, Setup, assert_equal_trees, assert_equal_trees_but, peers};

const JAVAS: [Kind; 2] = [Kind::Java393, Kind::Java380];

/// Restarts one server after the other as `kind`, the leader last, under `load`.
fn roll(ensemble: &mut Ensemble, load: &mut Load, kind: Kind) {
    let leader = ensemble.leader();
    for index in (0..ensemble.servers.len()).filter(|&index| index != leader).chain([leader]) {
        ensemble.servers[index].restart_as(kind);
        ensemble.wait_serving();
        load.wait_progress();
    }
}

/// What the harness itself promises, and the measure of what a rolling replacement must keep.
#[test]
fn a_rolling_restart_from_java_to_java_keeps_all() {
    if !peers() {
        return;
    }
    let mut ensemble = Ensemble::start(&[Kind::Java380; 3]);
    let mut load = Load::start(&ensemble);
    roll(&mut ensemble, &mut load, Kind::Java393);
    load.finish();
    assert_equal_trees(&ensemble);
}

/// Three Java servers become three of ours on the same folders, and Java's again.
#[test]
fn a_rolling_replacement_and_back_keeps_all() {
    if !peers() {
        return;
    }
    for java in JAVAS {
        let mut ensemble = Ensemble::start(&[java; 3]);
        let mut load = Load::start(&ensemble);
        roll(&mut ensemble, &mut load, Kind::Quorate);
        roll(&mut ensemble, &mut load, java);
        load.finish();
        assert_equal_trees(&ensemble);
    }
}

/// Two Java servers and a Quorate follower; when the other Java follower dies, Quorate's acknowledgement makes the quorum.
#[test]
fn a_quorate_follower_makes_the_quorum() {
    if !peers() {
        return;
    }
    for java in JAVAS {
        let mut ensemble = Ensemble::start(&[Kind::Quorate, java, java]);
        let mut load = Load::start(&ensemble);
        let leader = ensemble.leader();
        assert_eq!(ensemble.servers[leader].kind, java, "the servers are as fresh as each other, so the largest id leads");
        let other = 3 - leader;
        ensemble.servers[other].kill();
        load.wait_progress();
        load.wait_progress();
        ensemble.servers[other].spawn();
        ensemble.wait_serving();
        load.wait_progress();
        load.finish();
        assert_equal_trees(&ensemble);
    }
}

/// Two Java servers elect Quorate, and clients that know Java's addresses only are served.
#[test]
fn java_servers_elect_quorate_and_serve_through_it() {
    if !peers() {
        return;
    }
    let mut ensemble = Ensemble::start(&[Kind::Java393, Kind::Java380, Kind::Quorate]);
    assert_eq!(ensemble.leader(), 2);
    let hosts = format!("{},{}", ensemble.servers[0].address(), ensemble.servers[1].address());
    let mut load = Load::start_on(&hosts);
    load.wait_progress();
    // It dies, a Java server leads in its place, it comes back and follows.
    ensemble.servers[2].kill();
    load.wait_progress();
    ensemble.servers[2].spawn();
    ensemble.wait_serving();
    assert_ne!(ensemble.leader(), 2);
    load.wait_progress();
    load.finish();
    assert_equal_trees(&ensemble);
}

/// An observer of the one kind in an ensemble of the other.
#[test]
fn each_observes_the_other() {
    if !peers() {
        return;
    }
    let (q, new, old) = (Kind::Quorate, Kind::Java393, Kind::Java380);
    for kinds in [[new, new, new, q], [old, old, old, q], [q, q, q, new], [q, q, q, old]] {
        let setup = Setup { observers: 1, ..Setup::default() };
        let mut ensemble = Ensemble::start_with(&kinds, &setup);
        assert_eq!(ensemble.servers[3].mode().as_deref(), Some("observer"));
        let mut load = Load::start_on(&ensemble.servers[3].address());
        load.wait_progress();
        let leader = ensemble.leader();
        ensemble.servers[leader].kill();
        load.wait_progress();
        ensemble.servers[leader].spawn();
        ensemble.wait_serving();
        load.wait_progress();
        load.finish();
        // Java 3.8.0 that comes back to a leader of its own kind lacks transactions now and then, if its link breaks while it is
        // brought up to date; it logs that they come twice.
        assert_equal_trees_but(&ensemble, (kinds[leader] == old).then_some(leader));
    }
}
