"""Drives a cluster with Python's etcd3 and prints what it answers, so that two clusters can be compared.

Usage: etcd3_check.py ENDPOINT...   (http://host:port; the first one leads)
"""

import sys
import threading
import time
from urllib.parse import urlparse

import etcd3


def connect(endpoint):
    address = urlparse(endpoint)
    return etcd3.client(host=address.hostname, port=address.port, timeout=30)


def show(kv):
    return f"{kv.key.decode()} = {kv.value.decode()} (created {kv.create_revision}, modified {kv.mod_revision}, version {kv.version})"


def events_of(watched, count):
    """The next events, from (iterator, cancel)."""
    iterator, cancel = watched
    for _ in range(count):
        event = next(iterator)
        print(f"  {type(event).__name__} {event.key.decode()} = {event.value.decode()} at {event.mod_revision}, version {event.version}")
    cancel()


def failure(call):
    try:
        call()
        return "no error"
    except Exception as error:
        said = getattr(error, "details", None)
        return f"{type(error).__name__} {said() if callable(said) else error}"


def puts_and_gets(client):
    for i in range(5):
        put = client.put(f"k{i}", f"v{i}")
        print(f"put k{i}: revision {put.header.revision}")
    put = client.put("k1", "again", prev_kv=True)
    print(f"put k1: previous {put.prev_kv.value.decode()}")
    value, meta = client.get("k1")
    print(f"get k1: {value.decode()}, version {meta.version}, revision {meta.response_header.revision}")
    print(f"get nothing: {client.get('nothing')[0]}")
    print("get k*:")
    for kv in client.get_prefix_response("k", sort_order="descend", sort_target="mod").kvs:
        print(f"  {show(kv)}")
    print(f"replace: {client.replace('k2', 'v2', 'w2')}, {client.replace('k2', 'v2', 'x2')}")
    print(f"put if not exists: {client.put_if_not_exists('k2', 'x')}, {client.put_if_not_exists('n', 'x')}")
    print(f"delete: {client.delete('k3')}, {client.delete('k3')}, {client.delete_prefix('n').deleted}")


def transactions(client):
    for _ in range(2):
        succeeded, answers = client.transaction(
            compare=[client.transactions.value("k1") == "again", client.transactions.version("none") == 0],
            success=[client.transactions.put("k1", "swapped"), client.transactions.get("k0")],
            failure=[client.transactions.get("k1"), client.transactions.delete("k4")],
        )
        print(f"transaction: {succeeded}")
        for answer in answers:
            print(f"  {[(value.decode(), meta.mod_revision) for value, meta in answer] if isinstance(answer, list) else 'done'}")


def watches(client, other):
    head = client.put("w/0", "head").header.revision
    print("from now:")
    # A member that has heard of nothing later than the reader has.
    other.get("w/0")
    watched = other.watch_prefix("w/")
    for i in range(4):
        client.put(f"w/{i}", f"x{i}")
    client.delete("w/2")
    events_of(watched, 5)
    print("from the past:")
    events_of(client.watch_prefix("w/", start_revision=head), 6)
    print("one key from the past:")
    events_of(client.watch("w/2", start_revision=1), 2)
    print("from the future:")
    watched = other.watch("w/f", start_revision=head + 7)
    client.put("w/f", "too early")
    client.put("w/f", "in time")
    events_of(watched, 1)
    # One revision's events come together.
    print("a transaction's:")
    watched = other.watch_prefix_response("w/")
    client.transaction([], [client.transactions.put("w/a", "1"), client.transactions.put("w/b", "2"), client.transactions.delete("w/0")], [])
    iterator, cancel = watched
    print(f"  {[(event.key.decode(), event.mod_revision) for event in next(iterator).events]}")
    cancel()
    client.compact(head + 2)
    print(f"compacted: {failure(lambda: next(client.watch_prefix('w/', start_revision=head)[0]))}")


def leases(client):
    lease = client.lease(60)
    print(f"lease: granted {lease.granted_ttl}, remaining {lease.remaining_ttl in (59, 60)}")
    client.put("l/1", "x", lease=lease)
    client.put("l/2", "y", lease=lease)
    print(f"lease: keys {sorted(key.decode() for key in lease.keys)}")
    print(f"lease: renewed for {[answer.TTL for answer in lease.refresh()]}")
    watched = client.watch_prefix("l/")
    lease.revoke()
    events_of(watched, 2)
    print(f"revoked twice: {failure(lease.revoke)}")
    print(f"renewed after all: {[answer.TTL for answer in client.refresh_lease(lease.id)]}")
    print(f"time to live: {client.get_lease_info(lease.id).TTL}")
    print(f"the same id: {client.lease(30, lease_id=1234).id}, {failure(lambda: client.lease(30, lease_id=1234))}")
    client.revoke_lease(1234)
    short = client.lease(2)
    watched = client.watch("l/short")
    client.put("l/short", "x", lease=short)
    began = time.monotonic()
    events_of(watched, 2)
    print(f"expired, not early: {time.monotonic() - began > 1.9}")


def locks(first, second):
    one, two = first.lock("door", ttl=30), second.lock("door", ttl=30)
    print(f"first: {one.acquire()}, held {one.is_acquired()}")
    print(f"second, for a second: {two.acquire(timeout=1)}, held {two.is_acquired()}")
    got = []
    waits = threading.Thread(target=lambda: got.append(two.acquire(timeout=60)))
    waits.start()
    print(f"first: refreshed for {[answer.TTL for answer in one.refresh()]}, released {one.release()}")
    waits.join()
    print(f"second, in time: {got}, held {two.is_acquired()}, first {one.is_acquired()}")
    # Its holder dies: the lock is free once the lease is.
    third = first.lock("door", ttl=60)
    got.clear()
    waits = threading.Thread(target=lambda: got.append(third.acquire(timeout=60)))
    waits.start()
    two.lease.revoke()
    waits.join()
    print(f"third, after a death: {got}, held {third.is_acquired()}")
    third.release()


def main():
    clients = [connect(endpoint) for endpoint in sys.argv[1:]]
    puts_and_gets(clients[0])
    transactions(clients[1 % len(clients)])
    watches(clients[0], clients[-1])
    leases(clients[-1])
    locks(clients[0], clients[-1])
    status = clients[0].status()
    print(f"status: leads {status.leader is not None}, alarms {list(clients[0].list_alarms())}")
    print(f"members: {sorted(member.name for member in clients[0].members)}")


main()
