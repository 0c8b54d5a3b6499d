//! Who hears what.

mod support;

use support::{Leader, create, delete, entry, ephemeral, id, set};
use znodes::{
    AddMode, CreateMode, Event, Id, Op, Permissions, Renewal, Settings, WatchEvent, WatchSummary, WatcherType, Watches,
};

struct Room {
    leader: Leader,
    watches: Watches<u32>,
    /// As whom all watchers are known.
    ids: Vec<Id>,
}

impl Room {
    fn new() -> Room {
        Room { leader: Leader::new(Settings::default()), watches: Watches::new(), ids: Vec::new() }
    }

    /// Who hears what of a write: (watcher, event, path).
    fn after(&mut self, op: Op) -> Vec<(u32, WatchEvent, String)> {
        self.leader.events.clear();
        let ids = [id("super", "")];
        self.leader.ask_as(support::SESSION, &ids, op).unwrap();
        let (events, settings) = (core::mem::take(&mut self.leader.events), self.leader.tree.settings());
        let mut heard = Vec::new();
        for event in &events {
            let fired = self.watches.fire(event, |_, _, acl| settings.allows(acl, Permissions::READ, &self.ids));
            heard.extend(fired.into_iter().map(|fired| (fired.watcher, fired.event, fired.path.to_string())));
        }
        heard
    }
}

fn heard(watcher: u32, event: WatchEvent, path: &str) -> (u32, WatchEvent, String) {
    (watcher, event, path.into())
}

#[test]
fn a_standard_watch_fires_once() {
    let mut room = Room::new();
    room.watches.watch_data("/a", 1);
    assert_eq!(room.after(create("/a", "")), [heard(1, WatchEvent::Created, "/a")]);
    assert_eq!(room.after(set("/a", "x", -1)), []);
    room.watches.watch_data("/a", 1);
    room.watches.watch_data("/a", 1);
    assert_eq!(room.after(set("/a", "x", -1)), [heard(1, WatchEvent::DataChanged, "/a")]);
    room.watches.watch_data("/a", 1);
    assert_eq!(room.after(delete("/a", -1)), [heard(1, WatchEvent::Deleted, "/a")]);
    assert!(room.watches.is_empty());
}

#[test]
fn children_are_watched_at_their_parent() {
    let mut room = Room::new();
    room.watches.watch_children("/", 1);
    assert_eq!(room.after(create("/a", "")), [heard(1, WatchEvent::ChildrenChanged, "/")]);
    room.watches.watch_children("/a", 1);
    assert_eq!(room.after(set("/a", "x", -1)), []);
    assert_eq!(room.after(create("/a/b", "")), [heard(1, WatchEvent::ChildrenChanged, "/a")]);
    room.watches.watch_children("/a", 1);
    assert_eq!(room.after(delete("/a/b", -1)), [heard(1, WatchEvent::ChildrenChanged, "/a")]);
    room.watches.watch_children("/a", 1);
    assert_eq!(room.after(delete("/a", -1)), [heard(1, WatchEvent::Deleted, "/a")]);
}

#[test]
fn who_watches_in_both_ways_hears_of_a_deletion_once() {
    let mut room = Room::new();
    room.after(create("/a", ""));
    room.watches.watch_data("/a", 2);
    room.watches.watch_children("/a", 2);
    room.watches.watch_children("/a", 1);
    room.watches.watch_children("/", 2);
    let expected =
        [heard(2, WatchEvent::Deleted, "/a"), heard(1, WatchEvent::Deleted, "/a"), heard(2, WatchEvent::ChildrenChanged, "/")];
    assert_eq!(room.after(delete("/a", -1)), expected);
    assert!(room.watches.is_empty());
}

#[test]
fn persistent_watches_stay() {
    let mut room = Room::new();
    room.watches.add("/a", 1, AddMode::Persistent);
    assert_eq!(room.after(create("/a", "")), [heard(1, WatchEvent::Created, "/a")]);
    assert_eq!(room.after(set("/a", "", -1)), [heard(1, WatchEvent::DataChanged, "/a")]);
    assert_eq!(room.after(create("/a/b", "")), [heard(1, WatchEvent::ChildrenChanged, "/a")]);
    assert_eq!(room.after(set("/a/b", "", -1)), []);
    assert_eq!(room.after(delete("/a/b", -1)), [heard(1, WatchEvent::ChildrenChanged, "/a")]);
    assert_eq!(room.after(delete("/a", -1)), [heard(1, WatchEvent::Deleted, "/a")]);
    assert_eq!(room.watches.len(), 2);
}

#[test]
fn recursive_watches_hear_of_everything_below_but_not_of_children() {
    let mut room = Room::new();
    room.watches.add("/a", 1, AddMode::PersistentRecursive);
    room.watches.add("/", 2, AddMode::PersistentRecursive);
    let both = |event, path| [heard(1, event, path), heard(2, event, path)];
    assert_eq!(room.after(create("/a", "")), both(WatchEvent::Created, "/a"));
    assert_eq!(room.after(create("/a/b", "")), both(WatchEvent::Created, "/a/b"));
    assert_eq!(room.after(create("/a/b/c", "")), both(WatchEvent::Created, "/a/b/c"));
    assert_eq!(room.after(set("/a/b", "", -1)), both(WatchEvent::DataChanged, "/a/b"));
    assert_eq!(room.after(create("/ab", "")), [heard(2, WatchEvent::Created, "/ab")]);
    assert_eq!(room.after(delete("/a/b/c", -1)), both(WatchEvent::Deleted, "/a/b/c"));
    room.watches.forget(2);
    assert!(room.watches.remove("/a", 1, WatcherType::PersistentRecursive));
    assert_eq!(room.after(delete("/a/b", -1)), []);
}

#[test]
fn a_standard_watch_goes_from_beside_a_persistent_one() {
    let mut room = Room::new();
    room.watches.watch_data("/a", 1);
    room.watches.add("/a", 1, AddMode::Persistent);
    assert!(room.watches.contains("/a", 1, WatcherType::Data));
    assert_eq!(room.after(create("/a", "")), [heard(1, WatchEvent::Created, "/a")]);
    assert!(!room.watches.contains("/a", 1, WatcherType::Data));
    assert!(room.watches.contains("/a", 1, WatcherType::Persistent));
    assert!(room.watches.contains("/a", 1, WatcherType::Any));
}

#[test]
fn watches_are_removed_by_type() {
    let mut room = Room::new();
    room.watches.watch_data("/a", 1);
    room.watches.watch_children("/a", 1);
    room.watches.add("/a", 1, AddMode::PersistentRecursive);
    assert!(!room.watches.remove("/a", 1, WatcherType::Persistent));
    assert!(!room.watches.remove("/a", 2, WatcherType::Any));
    assert!(room.watches.remove("/a", 1, WatcherType::Children));
    assert!(!room.watches.remove("/a", 1, WatcherType::Children));
    assert!(room.watches.remove("/a", 1, WatcherType::Data));
    assert!(room.watches.contains("/a", 1, WatcherType::PersistentRecursive));
    assert!(room.watches.remove("/a", 1, WatcherType::Any));
    assert!(room.watches.is_empty());
    assert_eq!(
        [1, 2, 3, 4, 5, 6].map(|number| WatcherType::from_number(number).is_some()),
        [true, true, true, true, true, false]
    );
}

#[test]
fn who_may_not_read_does_not_hear() {
    let mut room = Room::new();
    let secret = vec![entry(Permissions::ALL, "digest", "bob:x")];
    let mode = CreateMode::Persistent { sequential: false };
    room.watches.add("/", 1, AddMode::PersistentRecursive);
    room.watches.watch_children("/", 1);
    let op = Op::Create { path: "/s".into(), data: None, acl: secret, mode, op: 1 };
    // The root is open: that it has a child now is no secret.
    assert_eq!(room.after(op), [heard(1, WatchEvent::ChildrenChanged, "/")]);
    room.watches.watch_data("/s", 1);
    assert_eq!(room.after(set("/s", "", -1)), []);
    assert!(!room.watches.contains("/s", 1, WatcherType::Data), "it is used up all the same");
    room.ids = vec![id("digest", "bob:x")];
    assert_eq!(room.after(delete("/s", -1)), [heard(1, WatchEvent::Deleted, "/s")]);
}

#[test]
fn the_end_of_a_session_is_heard_by_nobody_who_watches() {
    let mut room = Room::new();
    room.after(ephemeral("/e"));
    room.watches.watch_data("/e", 1);
    assert_eq!(room.after(Op::CloseSession), [heard(1, WatchEvent::Deleted, "/e")]);
    assert_eq!(room.watches.fire(&Event::SessionClosed(5), |_, _, _| true), []);
}

#[test]
fn a_client_that_comes_back_hears_what_it_missed() {
    let mut room = Room::new();
    for path in ["/same", "/changed", "/gone", "/grown"] {
        room.after(create(path, ""));
    }
    let relative_zxid = room.leader.stat("/grown").czxid;
    room.after(set("/changed", "", -1));
    room.after(delete("/gone", -1));
    room.after(create("/grown/x", ""));
    let paths = |paths: &[&str]| paths.iter().map(|path| path.to_string()).collect::<Vec<_>>();
    let renewal = Renewal {
        relative_zxid,
        data: paths(&["/same", "/changed", "/gone"]),
        exist: paths(&["/same", "/never"]),
        child: paths(&["/same", "/grown", "/gone"]),
        persistent: paths(&["/p"]),
        persistent_recursive: paths(&["/r"]),
    };
    let fired = room.watches.renew(&room.leader.tree, 1, &renewal);
    let fired: Vec<_> = fired.into_iter().map(|fired| heard(fired.watcher, fired.event, &fired.path)).collect();
    let expected = [
        heard(1, WatchEvent::DataChanged, "/changed"),
        heard(1, WatchEvent::Deleted, "/gone"),
        heard(1, WatchEvent::Created, "/same"),
        heard(1, WatchEvent::ChildrenChanged, "/grown"),
        heard(1, WatchEvent::Deleted, "/gone"),
    ];
    assert_eq!(fired, expected);
    for (path, which) in [
        ("/same", WatcherType::Data),
        ("/never", WatcherType::Data),
        ("/same", WatcherType::Children),
        ("/p", WatcherType::Persistent),
        ("/r", WatcherType::PersistentRecursive),
    ] {
        assert!(room.watches.contains(path, 1, which), "{path}");
    }
    assert_eq!(room.watches.len(), 6);
}

#[test]
fn watches_are_counted_as_the_words_count_them() {
    let mut watches: Watches<u32> = Watches::new();
    watches.watch_data("/a", 1);
    watches.watch_data("/b", 1);
    watches.watch_data("/a", 2);
    watches.watch_children("/c", 3);
    assert_eq!(watches.len(), 4);
    assert_eq!(watches.summary(), WatchSummary { watchers: 2, paths: 2, watches: 3 });
    let by_path: Vec<_> = watches.by_path().map(|(path, watchers)| (path.to_string(), watchers.collect::<Vec<_>>())).collect();
    assert_eq!(by_path, [("/a".to_string(), vec![1, 2]), ("/b".to_string(), vec![1])]);
    assert_eq!(watches.by_watcher()[&1].len(), 2);
    watches.forget(1);
    assert_eq!(watches.summary(), WatchSummary { watchers: 1, paths: 1, watches: 1 });
}
