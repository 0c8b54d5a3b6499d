//! Requests: their order, and what is answered to those that cannot be answered.

use super::*;
use zookeeper::client::ClientRequest;

#[test]
fn a_session_sees_its_own_earlier_writes_and_not_its_later_ones() {
    let mut world = World::new();
    let id = world.client();
    world.call(id, &Call::read(1, get("/a"), false));
    world.call(id, &Call::write(2, create("/a", "one")));
    world.call(id, &Call::read(3, get("/a"), false));
    world.call(id, &Call::write(4, set("/a", "two")));
    world.call(id, &Call::read(5, get("/a"), false));
    assert_eq!(world.heard(id), ["1 error -101"], "what was asked before the write is answered at once");
    assert_eq!(world.member.writes.borrow().len(), 1, "the second write waits for the read before it");
    assert!(!world.desk.is_listening_to(id));
    world.turn();
    assert_eq!(world.heard(id), ["2 ok", "3 one"]);
    world.turn();
    assert_eq!(world.heard(id), ["4 ok", "5 two"]);
    assert!(world.desk.is_listening_to(id));
}

#[test]
fn writes_of_one_read_go_together_and_are_answered_in_order() {
    let mut world = World::new();
    let id = world.client();
    let mut bytes = BytesMut::new();
    for xid in 1..=10 {
        world.operations.entry(id).or_default().insert(xid, zookeeper::opcode::CREATE);
        Call::write(xid, create(&format!("/{xid}"), "")).encode(&mut bytes);
    }
    world.send(id, &bytes);
    assert_eq!(world.member.writes.borrow().len(), 10);
    world.turn();
    let expected: Vec<String> = (1..=10).map(|xid| format!("{xid} ok")).collect();
    assert_eq!(world.heard(id), expected);
}

#[test]
fn frames_may_come_in_any_pieces() {
    let whole = {
        let mut world = World::new();
        let id = world.client();
        world.call(id, &Call::write(1, create("/a", "x")));
        world.call(id, &Call::read(2, get("/a"), false));
        world.turn();
        world.output(id)
    };
    let mut world = World::new();
    let id = world.client();
    let mut bytes = BytesMut::new();
    Call::write(1, create("/a", "x")).encode(&mut bytes);
    Call::read(2, get("/a"), false).encode(&mut bytes);
    for byte in &bytes {
        world.send(id, &[*byte]);
    }
    world.turn();
    assert_eq!(world.output(id), whole);
}

#[test]
fn a_write_of_the_same_number_waits_for_the_first_and_so_does_what_follows() {
    let mut world = World::new();
    let id = world.client();
    world.call(id, &Call::write(7, create("/a", "one")));
    world.call(id, &Call::write(7, create("/a", "two")));
    world.call(id, &Call::read(8, get("/a"), false));
    assert_eq!(world.member.writes.borrow().len(), 1);
    world.turn();
    assert_eq!(world.heard(id), ["7 ok"]);
    world.turn();
    assert_eq!(world.heard(id), ["7 error -110", "8 one"]);
}

#[test]
fn what_there_is_not_is_refused_and_ends_the_connection() {
    let mut world = World::new();
    let id = world.client();
    world.send(id, &[0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 3, 0xe7]);
    world.operations.entry(id).or_default().insert(1, 999);
    assert_eq!(world.heard(id), ["1 error -6"]);
    assert!(world.is_closed(id));
}

#[test]
fn a_record_without_sense_is_answered_and_the_connection_lives() {
    let mut world = World::new();
    let id = world.client();
    world.send(id, &[0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0, 4, 0xff, 0xff]);
    world.operations.entry(id).or_default().insert(1, 4);
    assert_eq!(world.heard(id), ["1 error -5"]);
    world.call(id, &Call { xid: -2, op: zookeeper::opcode::PING, request: ClientRequest::Ping });
    assert_eq!(world.heard(id), ["-2 ok"]);
}

#[test]
fn too_long_a_frame_ends_the_connection() {
    let mut world = World::new();
    let id = world.client();
    world.send(id, &[0x7f, 0xff, 0xff, 0xff]);
    assert!(world.is_closed(id));
    let other = world.connect();
    world.send(other, &[0xff, 0xff, 0xff, 0xff]);
    assert!(world.is_closed(other));
    assert_eq!(world.desk.metrics.large_requests_rejected, 2);
}

#[test]
fn who_does_not_read_is_not_answered_for_ever() {
    let mut world = World::new();
    let id = world.client();
    let mut big = create("/big", "");
    if let Op::Create { data, .. } = &mut big {
        *data = Some(Bytes::from(vec![7; 100_000]));
    }
    world.call(id, &Call::write(1, big));
    world.turn();
    world.output(id);
    for xid in 2..100 {
        world.call(id, &Call::read(xid, get("/big"), false));
    }
    let held = world.desk.get(id).expect("alive").output.len();
    assert!(held < 500_000, "{held} bytes are held for it");
    assert!(!world.desk.is_listening_to(id));
    // It reads, and hears the rest, piece by piece.
    let mut replies = 0;
    for _ in 0..100 {
        replies += world.hear(id).len();
        world.at_desk(|desk, moment| desk.resume(moment, id));
    }
    assert_eq!(replies, 98);
    assert!(world.desk.is_listening_to(id));
}

#[test]
fn many_requests_that_wait_keep_others_from_adding_to_them() {
    let mut world = World::with(|config| config.outstanding_max = 10);
    let id = world.client();
    for xid in 1..=100 {
        world.call(id, &Call::write(xid, create(&format!("/{xid}"), "")));
    }
    assert!(world.member.writes.borrow().len() <= 12, "{}", world.member.writes.borrow().len());
    assert!(!world.desk.is_listening_to(id));
    let other = world.connect();
    assert!(world.desk.is_listening_to(other), "who has nothing outstanding is heard");
    for _ in 0..20 {
        world.turn();
    }
    assert_eq!(world.heard(id).len(), 100);
    assert_eq!(world.desk.outstanding(), 0);
}

#[test]
fn an_unknown_outcome_ends_the_connection_a_refusal_does_not() {
    let mut world = World::new();
    let id = world.client();
    world.call(id, &Call::write(1, create("/a", "")));
    let (token, _) = world.member.writes.take().remove(0);
    world.desk.answered(token, Answer::Refused(replica::Refusal::TooManyRequests), world.now);
    assert_eq!(world.heard(id), ["1 error -127"]);
    world.call(id, &Call::write(2, create("/a", "")));
    let (token, _) = world.member.writes.take().remove(0);
    world.desk.answered(token, Answer::Refused(replica::Refusal::LeaderChanged), world.now);
    assert!(world.heard(id).is_empty());
    assert!(world.is_closed(id));
}

#[test]
fn sync_waits_for_the_member_and_reads_wait_for_sync() {
    let mut world = World::new();
    let id = world.client();
    world.call(id, &Call::read(1, ReadOp::Sync { path: "/".to_owned() }, false));
    world.call(id, &Call::read(2, get("/a"), false));
    assert!(world.heard(id).is_empty());
    world.turn();
    assert_eq!(world.heard(id), ["1 ok", "2 error -101"]);
}

#[test]
fn several_reads_have_one_answer_with_a_bound() {
    let mut world = World::new();
    let id = world.client();
    let mut big = create("/big", "");
    if let Op::Create { data, .. } = &mut big {
        *data = Some(Bytes::from(vec![7; 1_000_000]));
    }
    world.call(id, &Call::write(1, big));
    world.turn();
    world.call(id, &Call::read(2, ReadOp::MultiRead(vec![get("/big"), get("/none")]), false));
    assert_eq!(world.heard(id), ["1 ok", "2 ok"]);
    world.call(id, &Call::read(3, ReadOp::MultiRead(vec![get("/big"); 100]), false));
    assert_eq!(world.heard(id), ["3 error -5"]);
}

#[test]
fn answers_that_were_too_long_are_made_one_at_a_time() {
    let mut world = World::new();
    let (id, other) = (world.client(), world.client());
    let mut big = create("/big", "");
    if let Op::Create { data, .. } = &mut big {
        *data = Some(Bytes::from(vec![7; 1_000_000]));
    }
    world.call(id, &Call::write(1, big));
    world.turn();
    assert_eq!(world.heard(id), ["1 ok"]);
    let mut bytes = BytesMut::new();
    for xid in 2..=5 {
        world.operations.entry(id).or_default().insert(xid, zookeeper::opcode::MULTI_READ);
        Call::read(xid, ReadOp::MultiRead(vec![get("/big"); 100]), false).encode(&mut bytes);
    }
    let half = bytes.split_off(bytes.len() - 1);
    world.send(id, &bytes);
    for xid in 2..=4 {
        assert_eq!(world.heard(id), [format!("{xid} error -5")]);
        assert_eq!((world.desk.has_more(id), world.desk.is_listening_to(id)), (xid < 4, xid == 4));
        world.call(other, &Call::read(xid, get("/none"), false));
        assert_eq!(world.heard(other), [format!("{xid} error -101")], "others are not kept waiting");
        world.at_desk(|desk, moment| desk.resume(moment, id));
    }
    world.send(id, &half);
    assert_eq!(world.heard(id), ["5 error -5"]);

    // The same behind a write, which they wait for.
    world.call(id, &Call::write(6, create("/a", "")));
    for xid in 7..=8 {
        world.call(id, &Call::read(xid, ReadOp::MultiRead(vec![get("/big"); 100]), false));
    }
    world.turn();
    assert_eq!(world.heard(id), ["6 ok", "7 error -5"]);
    assert!(world.desk.has_more(id));
    world.at_desk(|desk, moment| desk.resume(moment, id));
    assert_eq!(world.heard(id), ["8 error -5"]);
    assert!(!world.desk.has_more(id));
}

#[test]
fn proofs_are_looked_at_and_failures_end_the_connection() {
    let mut world = World::with(|config| config.super_digest = Some("super:g9oN2HttPfn8MMWJZ2r45Np/LIA=".to_owned()));
    let auth = |scheme: &str, proof: &'static str| Call {
        xid: -4,
        op: zookeeper::opcode::AUTH,
        request: ClientRequest::Auth { scheme: scheme.to_owned(), auth: Bytes::from_static(proof.as_bytes()) },
    };
    let id = world.client();
    world.call(id, &auth("digest", "super:superpw"));
    assert_eq!(world.heard(id), ["-4 ok"]);
    let schemes: Vec<&str> = world.desk.get(id).expect("alive").ids.iter().map(|id| id.scheme.as_str()).collect();
    assert_eq!(schemes, ["ip", "super", "digest"]);
    world.call(id, &auth("kerberos", "me"));
    assert_eq!(world.heard(id), ["-4 error -115"]);
    assert!(world.is_closed(id));
}

#[test]
fn a_client_cannot_be_everybody() {
    let auth = |proof: String| Call {
        xid: -4,
        op: zookeeper::opcode::AUTH,
        request: ClientRequest::Auth { scheme: "digest".to_owned(), auth: Bytes::from(proof) },
    };
    let mut world = World::new();
    let many = world.client();
    for number in 1..64 {
        world.call(many, &auth(format!("user{number}:password")));
        assert_eq!(world.heard(many), ["-4 ok"]);
    }
    world.call(many, &auth("user1:password".to_owned()));
    assert_eq!(world.heard(many), ["-4 ok"], "it is known as that one already");
    world.call(many, &auth("user64:password".to_owned()));
    assert_eq!(world.heard(many), ["-4 error -115"]);
    assert!(world.is_closed(many));
    let long = world.client();
    world.call(long, &auth("u".repeat(16_000)));
    assert_eq!(world.heard(long), ["-4 ok"]);
    world.call(long, &auth("v".repeat(1_000)));
    assert_eq!(world.heard(long), ["-4 error -115"]);
    assert!(world.is_closed(long));
}
