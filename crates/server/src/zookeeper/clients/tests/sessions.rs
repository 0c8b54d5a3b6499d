//! Sessions: how they begin, move and end, and who is let in at all.

use super::*;
use zookeeper::session::password;

#[test]
fn a_new_session_gets_a_password_and_a_time_out_within_limits() {
    let mut world = World::with(|config| config.max_session_timeout = Duration::from_secs(8));
    let id = world.connect();
    world.send(id, &greeting(0, Bytes::new(), 0));
    assert!(world.frames(id).is_empty(), "not before it is in the log");
    world.turn();
    let welcome = world.welcome(id);
    assert_eq!((welcome.timeout, welcome.password), (8_000, password(welcome.session)));
    assert_eq!(welcome.session as u64 >> 56, 1, "the server's number is in it");
}

#[test]
fn a_session_is_taken_up_again_and_the_old_connection_ends() {
    let mut world = World::new();
    let old = world.client();
    let session = world.desk.session_of(old);
    let new = world.connect();
    world.send(new, &greeting(session, Bytes::copy_from_slice(&password(session)), 0));
    assert!(world.is_closed(old));
    world.turn();
    assert_eq!(world.welcome(new).session, session);
    world.call(new, &Call::read(1, get("/"), false));
    assert_eq!(world.heard(new), ["1 "]);
}

#[test]
fn who_does_not_know_the_password_gets_no_session_and_ends_nobody_elses() {
    let mut world = World::new();
    let old = world.client();
    let session = world.desk.session_of(old);
    let thief = world.connect();
    world.send(thief, &greeting(session, Bytes::from_static(&[1; 16]), 0));
    assert_eq!(world.welcome(thief), ConnectResponse::refusal(Some(false)));
    assert!(world.is_closed(thief) && !world.is_closed(old));
}

#[test]
fn a_session_that_is_over_is_refused() {
    let mut world = World::new();
    let id = world.connect();
    world.send(id, &greeting(77, Bytes::copy_from_slice(&password(77)), 0));
    world.turn();
    assert_eq!(world.welcome(id), ConnectResponse::refusal(Some(false)));
    assert!(world.is_closed(id));
}

#[test]
fn who_has_seen_more_than_this_server_is_sent_away() {
    let mut world = World::new();
    let id = world.connect();
    world.send(id, &greeting(0, Bytes::new(), 1 << 40));
    assert!(world.is_closed(id) && world.output(id).is_empty());
}

#[test]
fn the_end_of_a_session_is_answered_before_its_connection_ends() {
    let mut world = World::new();
    let id = world.client();
    world.call(id, &Call::write(1, create("/a", "")));
    world.call(id, &Call::write(2, Op::CloseSession));
    world.call(id, &Call::write(3, create("/b", "")));
    world.turn();
    assert_eq!(world.heard(id), ["1 ok", "2 ok"], "nothing is heard after the end");
    assert!(world.is_closed(id));
    assert!(world.tree.stat("/b").is_none());
}

#[test]
fn an_expired_session_ends_its_connection() {
    let mut world = World::new();
    let id = world.client();
    let session = world.desk.session_of(id);
    let (_, ended) = world.apply(Request { session, cxid: 0, ids: Vec::new(), op: Op::CloseSession });
    assert!(ended.is_ok());
    assert!(world.is_closed(id));
}

#[test]
fn the_leader_hears_twice_a_tick_who_lives() {
    let mut world = World::new();
    let id = world.client();
    let session = world.desk.session_of(id);
    world.at_desk(|desk, moment| desk.tick(moment));
    assert_eq!(world.member.notes.take(), [SessionNote::Touched(vec![(session, 10_000)])]);
    world.at_desk(|desk, moment| desk.tick(moment));
    assert!(world.member.notes.take().is_empty(), "it has said nothing since");
    world.call(id, &Call::read(1, get("/"), false));
    world.at_desk(|desk, moment| desk.tick(moment));
    assert_eq!(world.member.notes.take().len(), 1);
}

#[test]
fn silence_ends_a_connection() {
    let mut world = World::new();
    let (silent, client) = (world.connect(), world.client());
    world.now = world.now + Duration::from_secs(15);
    world.call(client, &Call::read(1, get("/"), false));
    world.now = world.now + Duration::from_secs(6);
    world.at_desk(|desk, moment| desk.tick(moment));
    assert!(world.is_closed(silent) && !world.is_closed(client));
    world.now = world.now + Duration::from_secs(20);
    world.at_desk(|desk, moment| desk.tick(moment));
    assert!(world.is_closed(client));
}

#[test]
fn a_server_that_serves_nobody_lets_everybody_go() {
    let mut world = World::new();
    let id = world.client();
    world.call(id, &Call::write(1, create("/a", "")));
    world.serving = false;
    world.desk.let_everybody_go();
    assert!(world.is_closed(id));
    assert_eq!(world.desk.outstanding(), 0);
    world.turn();
    let other = world.connect();
    world.send(other, &greeting(0, Bytes::new(), 0));
    assert!(world.is_closed(other) && world.output(other).is_empty());
}

#[test]
fn an_address_has_so_many_connections_and_not_more() {
    let mut world = World::with(|config| config.max_client_connections = 2);
    let first = world.connect_from("10.0.0.1:1").expect("the first");
    assert!(world.connect_from("10.0.0.1:2").is_some());
    assert!(world.connect_from("10.0.0.1:3").is_none());
    assert!(world.connect_from("[::ffff:10.0.0.1]:3").is_none(), "the same address in other clothes");
    assert!(world.connect_from("10.0.0.2:1").is_some());
    world.desk.remove(first);
    assert_eq!(world.desk.connections(), 2);
    assert!(world.connect_from("10.0.0.1:3").is_none(), "its socket is still open");
    world.desk.left("[::ffff:10.0.0.1]:1".parse().expect("an address"));
    assert!(world.connect_from("10.0.0.1:3").is_some());
    let mut world = World::with(|config| config.max_connections = 1);
    assert!(world.connect_from("10.0.0.1:1").is_some() && world.connect_from("10.0.0.2:1").is_none());
}

#[test]
fn a_server_without_a_leader_serves_those_who_only_read() {
    let mut world = World::new();
    let writer = world.client();
    world.call(writer, &Call::write(1, create("/a", "x")));
    world.turn();
    let global = world.desk.session_of(writer);
    world.desk.let_everybody_go();
    (world.serving, world.read_only) = (false, true);

    let greet = |session: i64, read_only: Option<bool>| {
        let password = Bytes::copy_from_slice(&password(session));
        let request = ConnectRequest { protocol_version: 0, last_zxid_seen: 0, timeout: 10_000, session, password, read_only };
        let mut bytes = BytesMut::new();
        request.encode(&mut bytes);
        bytes
    };
    for (session, read_only) in [(0, Some(false)), (0, None), (global, Some(true))] {
        let id = world.connect();
        world.send(id, &greet(session, read_only));
        assert!(world.is_closed(id) && world.output(id).is_empty(), "{session} {read_only:?}");
    }

    let id = world.connect();
    world.send(id, &greet(0, Some(true)));
    assert_eq!(world.welcome(id).read_only, Some(true));
    world.call(id, &Call::read(1, get("/a"), false));
    world.call(id, &Call::write(2, set("/a", "y")));
    world.call(id, &Call::read(3, ReadOp::Sync { path: "/".to_owned() }, false));
    world.at_desk(|desk, moment| desk.tick(moment));
    assert!(world.member.notes.take().is_empty(), "nobody is told of it");
    world.call(id, &Call::write(4, Op::CloseSession));
    assert_eq!(world.heard(id), ["1 x", "2 error -119", "3 error -119", "4 ok"]);
    assert!(world.is_closed(id));
    assert!(world.member.writes.take().is_empty());
}
