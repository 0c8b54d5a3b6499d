//! Whatever clients send, a server lives on.

use super::*;
use consensus::Chance;
use zookeeper::opcode;

#[test]
fn arbitrary_bytes_end_at_most_their_own_connection() {
    let mut chance = Chance::new(1);
    let mut world = World::with(|config| config.max_client_connections = 0);
    for _ in 0..2_000 {
        let id = world.connect();
        let bytes: Vec<u8> = (0..chance.below(80)).map(|_| chance.below(256) as u8).collect();
        world.send(id, &bytes);
        world.turn();
        world.leave(id);
    }
    assert_eq!((world.desk.connections(), world.desk.outstanding()), (0, 0));
}

#[test]
fn records_that_are_bent_a_little_are_survived() {
    let mut chance = Chance::new(2);
    let operations: Vec<i32> = (-12..25).chain(opcode::AUTH..opcode::WHO_AM_I + 2).collect();
    let mut world = World::with(|config| config.max_client_connections = 0);
    let mut id = world.client();
    let words: [&[u8]; 6] = [b"\0\0\0\x02/a", b"\0\0\0\x01/", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x01"];
    for xid in 0..20_000_i32 {
        if world.is_closed(id) {
            world.leave(id);
            id = world.client();
        }
        let mut record = BytesMut::new();
        record.extend_from_slice(&xid.to_be_bytes());
        record.extend_from_slice(&operations[chance.below(operations.len() as u64) as usize].to_be_bytes());
        for _ in 0..chance.below(8) {
            record.extend_from_slice(words[chance.below(words.len() as u64) as usize]);
        }
        let mut frame = BytesMut::from(&(record.len() as i32).to_be_bytes()[..]);
        frame.extend_from_slice(&record);
        world.send(id, &frame);
        if chance.below(4) == 0 {
            world.turn();
            world.output(id);
        }
    }
}

#[test]
fn a_client_that_lets_events_pile_up_holds_a_bounded_memory() {
    let mut world = World::new();
    let (watcher, writer) = (world.client(), world.client());
    let add = zookeeper::client::ClientRequest::AddWatch { path: "/".to_owned(), mode: znodes::AddMode::PersistentRecursive };
    world.call(watcher, &Call { xid: 1, op: opcode::ADD_WATCH, request: add });
    world.call(writer, &Call::write(0, create("/a", "")));
    for xid in 1..1000 {
        world.call(writer, &Call::write(xid, set("/a", "")));
        world.turn();
        world.output(writer);
    }
    let piled = world.desk.get(watcher).expect("a test has no socket that could be full").output.len();
    assert!(piled > 30_000, "{piled}: events are not held back");
}
