"""A steady load that knows what it was promised: writes, sequential nodes, ephemerals, a lock and watches.

    load.py HOSTS        prints "running" once everything is in motion; ends and checks when its input ends

Every client keeps one session; a session that is lost is a failure. Where an answer was lost the outcome is unknown,
and either is right.
"""

import json
import logging
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionLoss, NoNodeError, NodeExistsError, OperationTimeoutError, SessionExpiredError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.recipe.lock import Lock

WRITERS = 4
KEYS = 5
UNKNOWN = (ConnectionLoss, OperationTimeoutError, KazooTimeoutError)
failures = []
logging.disable(logging.CRITICAL)
stopping = threading.Event()
acknowledged = threading.Event()


def fail(what):
    failures.append(what)


class Client:
    """One session, and what it was told."""

    def __init__(self, hosts, name):
        self.name = name
        self.zk = KazooClient(hosts, timeout=20, connection_retry={"max_tries": -1, "delay": 0.05, "max_delay": 0.2})
        self.zk.start(timeout=30)
        self.session = self.zk.client_id[0]
        self.thread = threading.Thread(target=self.run_all, daemon=True)

    def run_all(self):
        while not stopping.is_set():
            try:
                self.step()
            except UNKNOWN:
                time.sleep(0.02)
            except SessionExpiredError:
                return fail(f"{self.name}: its session expired")
            except Exception as error:  # noqa: BLE001 - whatever it is, the test must know
                return fail(f"{self.name}: {type(error).__name__} {error}")

    def settle(self):
        """Waits for the connection and says whether the session is the one that it began with."""
        self.zk.retry(self.zk.sync, "/load")
        if self.zk.client_id[0] != self.session:
            fail(f"{self.name}: session 0x{self.session:x} became 0x{self.zk.client_id[0]:x}")


class Writer(Client):
    """Sets counters, leaves sequential nodes, owns an ephemeral."""

    def __init__(self, hosts, number):
        super().__init__(hosts, f"writer {number}")
        self.base = f"/load/writer-{number}"
        self.zk.ensure_path(self.base)
        self.zk.create(f"{self.base}/alive", b"", ephemeral=True)
        self.acked, self.tried, self.nodes, self.unknown, self.n, self.writes = {}, {}, [], 0, 0, 0

    def step(self):
        self.n += 1
        key = f"{self.base}/key-{self.n % KEYS}"
        self.tried[key] = self.n
        try:
            self.zk.set(key, str(self.n).encode())
        except NoNodeError:
            try:
                self.zk.create(key, str(self.n).encode())
            except NodeExistsError:  # the answer to an earlier create was lost
                return
        self.acked[key] = self.n
        self.writes += 1
        acknowledged.set()
        if self.n % 7 == 0:
            self.unknown += 1
            self.nodes.append(self.zk.create(f"{self.base}/entry-", str(self.n).encode(), sequence=True))
            self.unknown -= 1

    def check(self):
        self.settle()
        for key, acked in self.acked.items():
            found = int(self.zk.get(key)[0])
            if not acked <= found <= self.tried[key]:
                fail(f"{key} is {found}; {acked} was acknowledged, {self.tried[key]} the last attempted")
        entries = {f"{self.base}/{name}" for name in self.zk.get_children(self.base) if name.startswith("entry-")}
        lost = [node for node in self.nodes if node not in entries]
        if lost:
            fail(f"{self.name}: acknowledged and gone: {lost}")
        if len(entries) > len(self.nodes) + self.unknown:
            fail(f"{self.name}: {len(entries)} nodes of {len(self.nodes)} acknowledged and {self.unknown} unknown creates")
        stat = self.zk.exists(f"{self.base}/alive")
        if stat is None or stat.ephemeralOwner != self.session:
            fail(f"{self.name}: its ephemeral node is {stat}")


class Locker(Client):
    """Raises a number under a lock. Two at once would be seen by the version."""

    def __init__(self, hosts, number):
        super().__init__(hosts, f"locker {number}")
        self.zk.ensure_path("/load/lock")
        self.rounds = 0
        try:
            self.zk.create("/load/guarded", b"0")
        except NodeExistsError:
            pass

    def step(self):
        lock = Lock(self.zk, "/load/lock", self.name)
        try:
            if not lock.acquire(timeout=5):
                return
            value, stat = self.zk.get("/load/guarded")
            self.zk.set("/load/guarded", str(int(value) + 1).encode(), version=stat.version)
            self.rounds += 1
        finally:
            try:
                self.zk.retry(lock.release)
            except UNKNOWN:
                pass
        time.sleep(0.01)

    def check(self):
        self.settle()


class Watcher(Client):
    """Sees a number grow, never shrink, and its last value in the end."""

    def __init__(self, hosts):
        super().__init__(hosts, "watcher")
        self.path = "/load/watched"
        self.seen, self.zxid, self.events, self.number = -1, 0, 0, 0
        self.zk.create(self.path, b"0")
        self.reader = KazooClient(hosts, timeout=20)
        self.reader.start(timeout=30)
        self.reader_session = self.reader.client_id[0]
        self.reader.DataWatch(self.path)(self.saw)

    def saw(self, data, stat):
        value = int(data)
        if value < self.seen or stat.mzxid < self.zxid:
            fail(f"watcher: {value} at 0x{stat.mzxid:x} after {self.seen} at 0x{self.zxid:x}")
        self.seen, self.zxid, self.events = value, stat.mzxid, self.events + 1

    def step(self):
        self.number += 1
        self.zk.set(self.path, str(self.number).encode())
        time.sleep(0.02)

    def check(self):
        self.settle()
        last = int(self.zk.get(self.path)[0])
        deadline = time.monotonic() + 20
        while self.seen != last and time.monotonic() < deadline:
            time.sleep(0.02)
        if self.seen != last:
            fail(f"watcher: saw {self.seen}, the last is {last}")
        if self.reader.client_id[0] != self.reader_session:
            fail("watcher: its reader lost its session")


def main():
    hosts = sys.argv[1]
    first = KazooClient(hosts, timeout=20)
    first.start(timeout=30)
    first.ensure_path("/load")
    clients = [Writer(hosts, n) for n in range(WRITERS)] + [Locker(hosts, n) for n in range(2)] + [Watcher(hosts)]
    for client in clients:
        client.thread.start()
    acknowledged.wait(30)
    print("running", flush=True)
    for line in sys.stdin:  # "progress": a line once a write was acknowledged that began after the question
        if line.strip() == "progress":
            time.sleep(0.05)
            acknowledged.clear()
            print("progressed" if acknowledged.wait(30) else "stuck", flush=True)
    stopping.set()
    for client in clients:
        client.thread.join(40)
        if client.thread.is_alive():
            fail(f"{client.name} hangs")
    for client in clients:
        client.check()
    writers = [client for client in clients if isinstance(client, Writer)]
    print(
        json.dumps(
            {
                "writes": sum(writer.writes for writer in writers),
                "nodes": sum(len(writer.nodes) for writer in writers),
                "locked": sum(client.rounds for client in clients if isinstance(client, Locker)),
                "watched": next(client.events for client in clients if isinstance(client, Watcher)),
                "sessions": len(clients) + 2,
            }
        )
    )
    for failure in failures:
        print("failed:", failure)
    # Sessions and their ephemerals stay: whoever compares the trees afterwards finds them on every server.
    sys.stdout.flush()
    sys.exit(1 if failures else 0)


main()
