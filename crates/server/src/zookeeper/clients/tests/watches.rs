//! Watches: what is heard, when, and by whom.

use super::*;
use znodes::{AddMode, Renewal, WatcherType};
use zookeeper::client::ClientRequest;
use zookeeper::opcode;

#[test]
fn an_event_comes_before_any_read_that_could_show_it() {
    let mut world = World::new();
    let (watcher, writer) = (world.client(), world.client());
    world.call(watcher, &Call::read(1, ReadOp::Exists { path: "/a".to_owned() }, true));
    assert_eq!(world.heard(watcher), ["1 error -101"]);
    world.call(writer, &Call::write(1, create("/a", "x")));
    // This read waits for the watcher's own write, and both are of the turn in which the node comes to be.
    world.call(watcher, &Call::write(2, create("/b", "")));
    world.call(watcher, &Call::read(3, get("/a"), false));
    world.turn();
    assert_eq!(world.heard(watcher), ["event Created /a", "2 ok", "3 x"]);
}

#[test]
fn a_watch_fires_once_a_lasting_one_until_it_is_removed() {
    let mut world = World::new();
    let id = world.client();
    let add = ClientRequest::AddWatch { path: "/".to_owned(), mode: AddMode::PersistentRecursive };
    world.call(id, &Call { xid: 1, op: opcode::ADD_WATCH, request: add });
    world.call(id, &Call::read(2, ReadOp::GetChildren { path: "/".to_owned() }, true));
    world.heard(id);
    world.call(id, &Call::write(3, create("/a", "")));
    world.call(id, &Call::write(4, create("/b", "")));
    world.turn();
    assert_eq!(
        world.heard(id),
        ["event Created /a", "event ChildrenChanged /", "3 ok", "event Created /b", "4 ok"],
        "each before the answer to whoever did it"
    );
    let remove = |xid| {
        let request = ClientRequest::RemoveWatches { path: "/".to_owned(), which: WatcherType::Any };
        Call { xid, op: opcode::REMOVE_WATCHES, request }
    };
    world.call(id, &remove(5));
    world.call(id, &remove(6));
    assert_eq!(world.heard(id), ["5 ok", "6 error -121"]);
    world.call(id, &Call::write(7, set("/a", "x")));
    world.turn();
    assert_eq!(world.heard(id), ["7 ok"]);
}

#[test]
fn what_was_missed_is_heard_when_watches_are_renewed() {
    let mut world = World::new();
    let id = world.client();
    world.call(id, &Call::write(1, create("/a", "")));
    world.turn();
    world.call(id, &Call::write(2, set("/a", "x")));
    world.turn();
    world.heard(id);
    let renewal = Renewal { relative_zxid: 1, data: vec!["/a".to_owned(), "/gone".to_owned()], ..Renewal::default() };
    world.call(id, &Call { xid: -8, op: opcode::SET_WATCHES, request: ClientRequest::SetWatches(renewal) });
    assert_eq!(world.heard(id), ["event DataChanged /a", "event Deleted /gone", "-8 ok"]);
}

#[test]
fn who_may_not_read_a_node_hears_nothing_of_it() {
    let mut world = World::new();
    let (watcher, writer) = (world.client(), world.client());
    world.call(watcher, &Call::read(1, ReadOp::Exists { path: "/secret".to_owned() }, true));
    let mut secret = create("/secret", "");
    if let Op::Create { acl, .. } = &mut secret {
        *acl = vec![Acl { permissions: Permissions::ALL, id: Id { scheme: "ip".to_owned(), id: "10.9.9.9".to_owned() } }];
    }
    world.call(writer, &Call::write(1, secret));
    world.turn();
    assert_eq!(world.heard(watcher), ["1 error -101"]);
    assert_eq!(world.heard(writer), ["1 ok"]);
}

#[test]
fn the_watches_of_a_connection_end_with_it() {
    let mut world = World::new();
    let id = world.client();
    world.call(id, &Call::read(1, get("/"), true));
    assert_eq!(world.desk.watches().len(), 1);
    world.desk.lost(id);
    assert!(world.desk.watches().is_empty());
}
