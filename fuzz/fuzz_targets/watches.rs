//! What a client says on a stream of watches, in whatever order: the watches stay sound, and pieces of an answer are the answer.

#![no_main]

use bytes::{Bytes, BytesMut};
use consensus::{Instant, Position, StateMachine};
use etcd::kv::Header;
use etcd::pb::etcdserverpb::{self as pb, watch_request::RequestUnion};
use etcd::watch::{fragments, watch_request, watch_response};
use keyspace::{
    Command, CompactRequest, DeleteRangeRequest, Keyspace, MemoryValues, PutRequest, StreamId, WatchOptions, Watches,
};
use libfuzzer_sys::fuzz_target;
use prost::Message;
use std::sync::LazyLock;

const STREAM: StreamId = StreamId(1);
const HEADER: Header = Header { cluster_id: 1, member_id: 2, raft_term: 3 };

fn commands() -> Vec<Command> {
    let key = |number: i64| Bytes::from(vec![b'a' + (number % 3) as u8]);
    let mut commands: Vec<Command> = (0..20)
        .map(|number| match number % 5 {
            4 => Command::DeleteRange(DeleteRangeRequest { key: key(number), ..DeleteRangeRequest::default() }),
            _ => Command::Put(PutRequest { key: key(number), value: key(number), ..PutRequest::default() }),
        })
        .collect();
    commands.insert(15, Command::Compact(CompactRequest { revision: 6, physical: false }));
    commands
}

static COMMANDS: LazyLock<Vec<Command>> = LazyLock::new(commands);

fn check(response: pb::WatchResponse, limit: usize) {
    let mut events = Vec::new();
    let mut more = true;
    for piece in fragments(response.clone(), limit) {
        assert!(more && piece.watch_id == response.watch_id);
        more = piece.fragment;
        events.extend(piece.events);
    }
    assert!(!more && events == response.events);
}

fuzz_target!(|data: &[u8]| {
    let mut machine = Keyspace::<MemoryValues>::new();
    let options = WatchOptions { room_max: 300, room_min: 100, room_total: 300, page_bytes: 100, ..WatchOptions::default() };
    let mut watches = Watches::new(machine.revision(), options, 1);
    watches.open(Instant::ZERO, STREAM);
    let mut commands = COMMANDS.iter();
    let mut data = data;
    while let [length, rest @ ..] = data {
        let (message, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        data = rest;
        match pb::WatchRequest::decode(message).map(|request| request.request_union) {
            Ok(Some(RequestUnion::CreateRequest(request))) => {
                watches.create(Instant::ZERO, STREAM, watch_request(request));
            }
            Ok(Some(RequestUnion::CancelRequest(request))) => watches.cancel(STREAM, request.watch_id),
            Ok(Some(RequestUnion::ProgressRequest(_))) => watches.request_progress(STREAM),
            Ok(None) => {}
            // What cannot be understood ends the stream; here the rest is tried all the same.
            Err(_) => {}
        }
        if let Some(command) = commands.next() {
            let next = Position::new(1, machine.applied().index + 1);
            let _ = machine.apply(next, command.clone(), &mut Vec::new());
        }
        watches.advance(Instant::ZERO, &machine);
        assert!(watches.replay(&machine).is_none(), "everything is in memory");
        watches.check();
        let mut taken = 0;
        for (_, response) in watches.responses() {
            taken += response.weight();
            let mut bytes = BytesMut::new();
            let response = watch_response(HEADER, &response);
            response.encode(&mut bytes).expect("memory grows");
            check(response, usize::from(*length));
        }
        watches.took(STREAM, taken);
    }
    watches.close(STREAM);
    assert_eq!((watches.streams(), watches.watchers()), (0, 0));
});
