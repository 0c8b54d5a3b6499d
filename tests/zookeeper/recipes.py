"""kazoo's recipes, each by two clients on different servers.

    recipes.py HOST:PORT,HOST:PORT…        prints what came of them
"""

import faulthandler
import logging
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import LockTimeout
from kazoo.recipe.cache import TreeCache
from kazoo.security import make_digest_acl

faulthandler.dump_traceback_later(90, exit=True)
logging.disable(logging.CRITICAL)


def check(what, holds):
    print(f"{what}: {bool(holds)}")
    if not holds:
        sys.exit(1)


def until(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    check(what, condition())


def together(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def locks(one, two):
    first, second = one.Lock("/kazoo/lock", "first"), two.Lock("/kazoo/lock", "second")
    check("locked", first.acquire())
    try:
        second.acquire(timeout=0.3)
        check("not twice", False)
    except LockTimeout:
        check("not twice", True)
    check("who waits or holds", "first" in two.Lock("/kazoo/lock").contenders())
    first.release()
    check("then the second", second.acquire(timeout=20))
    second.release()
    reading = [client.ReadLock("/kazoo/rw", "reader") for client in (one, two)]
    check("two readers", all(lock.acquire(timeout=20) for lock in reading))
    writing = one.WriteLock("/kazoo/rw", "writer")
    check("no writer beside them", not writing.acquire(blocking=False))
    for lock in reading:
        lock.release()
    check("then the writer", writing.acquire(timeout=20))
    writing.release()
    semaphores = [client.Semaphore("/kazoo/semaphore", max_leases=2) for client in (one, two, one)]
    check("two leases of two", semaphores[0].acquire() and semaphores[1].acquire())
    check("not three", not semaphores[2].acquire(blocking=False))
    semaphores[0].release()
    check("again two", semaphores[2].acquire(timeout=20))


def election(one, two):
    led, go = [], threading.Event()
    elections = [client.Election("/kazoo/election", name) for client, name in ((one, "first"), (two, "second"))]

    def lead(name):
        led.append(name)
        go.wait(20)

    threads = [threading.Thread(target=elections[n].run, args=(lead, name)) for n, name in enumerate(("first", "second"))]
    threads[0].start()
    until("one leads", lambda: led == ["first"])
    threads[1].start()
    until("both stand", lambda: elections[0].contenders() == ["first", "second"])
    check("one at a time", led == ["first"])
    go.set()
    for thread in threads:
        thread.join(20)
    check("one after the other", led == ["first", "second"])


def queues(one, two):
    queue, other = one.Queue("/kazoo/queue"), two.Queue("/kazoo/queue")
    queue.put(b"low", priority=200)
    queue.put(b"high", priority=10)
    two.sync("/kazoo/queue")
    check("by priority", [other.get(), other.get(), other.get()] == [b"high", b"low", None])
    locking, taking = one.LockingQueue("/kazoo/locking"), two.LockingQueue("/kazoo/locking")
    locking.put_all([b"a", b"b"])
    check("taken under a lock", taking.get(timeout=20) == b"a" and taking.consume())
    check("and the next", locking.get(timeout=20) == b"b" and locking.consume())


def counters(one, two):
    counter, other = one.Counter("/kazoo/counter"), two.Counter("/kazoo/counter")

    def add(counter, number):
        for _ in range(20):
            counter += number

    together(lambda: add(counter, 1), lambda: add(other, 2))
    one.sync("/kazoo/counter")
    check("counted together", counter.value == 60)


def barriers(one, two):
    barrier, other = one.Barrier("/kazoo/barrier"), two.Barrier("/kazoo/barrier")
    barrier.create()
    two.sync("/kazoo/barrier")
    check("a barrier holds", not other.wait(timeout=0.3))
    threading.Timer(0.2, barrier.remove).start()
    check("until it is removed", other.wait(timeout=20))
    doubles = [client.DoubleBarrier("/kazoo/double", 2) for client in (one, two)]
    together(doubles[0].enter, doubles[1].enter)
    check("entered together", all(double.participating for double in doubles))
    together(doubles[0].leave, doubles[1].leave)
    check("left together", one.get_children("/kazoo/double") == [])


def parties(one, two):
    first, second = one.Party("/kazoo/party", "first"), two.Party("/kazoo/party", "second")
    first.join()
    second.join()
    one.sync("/kazoo/party")
    check("both are there", sorted(first) == ["first", "second"] and len(second) == 2)
    second.leave()
    one.sync("/kazoo/party")
    check("one is left", list(first) == ["first"])
    shallow = two.ShallowParty("/kazoo/shallow", "x")
    shallow.join()
    check("by name only", list(shallow) == ["x"])


def watches(one, two):
    one.ensure_path("/kazoo/watched")
    two.sync("/kazoo")
    data, children = [], []
    two.DataWatch("/kazoo/watched")(lambda value, stat: data.append(value))
    two.ChildrenWatch("/kazoo/watched")(lambda names: children.append(sorted(names)))
    until("first what is there", lambda: data == [b""] and children == [[]])
    one.set("/kazoo/watched", b"1")
    until("then a change", lambda: data == [b"", b"1"])
    one.create("/kazoo/watched/a")
    until("and a child", lambda: children == [[], ["a"]])
    one.delete("/kazoo/watched", recursive=True)
    until("and the end", lambda: data[-1] is None)
    one.ensure_path("/kazoo/tree/a")
    two.sync("/kazoo")
    cache = TreeCache(two, "/kazoo/tree")
    cache.start()
    until("a tree", lambda: cache.get_children("/kazoo/tree") == frozenset(["a"]))
    one.create("/kazoo/tree/a/b", b"deep")
    until("that grows", lambda: (cache.get_data("/kazoo/tree/a/b") or [None])[1:2] == (b"deep",))
    cache.close()


def partitions(one, two):
    parts = [
        client.SetPartitioner("/kazoo/parts", ("a", "b", "c", "d"), identifier=name, time_boundary=0.2)
        for client, name in ((one, "first"), (two, "second"))
    ]

    def settle(part):
        end = time.monotonic() + 20
        while not (part.acquired and len(list(part)) == 2) and time.monotonic() < end:
            if part.release:
                part.release_set()
            elif part.allocating:
                part.wait_for_acquire(1)
            else:
                time.sleep(0.02)

    together(lambda: settle(parts[0]), lambda: settle(parts[1]))
    check("shared out", sorted(name for part in parts for name in part) == ["a", "b", "c", "d"])
    for part in parts:
        part.finish()


def access(one, two):
    one.add_auth("digest", "user:secret")
    one.create("/kazoo/secret", b"s", acl=[make_digest_acl("user", "secret", all=True)])
    two.sync("/kazoo")
    check("kept from others", two.retry(lambda: outcome(two.get, "/kazoo/secret")) == "NoAuthError")
    two.add_auth("digest", "user:secret")
    check("until they know", two.get("/kazoo/secret")[0] == b"s")
    transaction = two.transaction()
    transaction.create("/kazoo/t", b"1")
    transaction.check("/kazoo/t", 0)
    transaction.set_data("/kazoo/t", b"2")
    transaction.delete("/kazoo/none")
    check("all or none", [type(result).__name__ for result in transaction.commit()][-1] == "NoNodeError" and not two.exists("/kazoo/t"))


def outcome(call, *arguments):
    try:
        call(*arguments)
        return "done"
    except Exception as error:  # noqa: BLE001 - its name is what is asked for
        return type(error).__name__


def main():
    hosts = sys.argv[1].split(",")
    clients = [KazooClient(host, timeout=20) for host in (hosts[0], hosts[-1])]
    for client in clients:
        client.start(timeout=30)
    clients[0].ensure_path("/kazoo")
    clients[1].sync("/kazoo")
    for recipe in (locks, election, queues, counters, barriers, parties, watches, partitions, access):
        print(f"# {recipe.__name__}")
        recipe(*clients)
    for client in clients:
        client.stop()
        client.close()


main()
