"""Clients that write until the servers die, and then look for what was acknowledged.

    survivors.py HOST:PORT [HOST:PORT …]      "load" and "check" on standard input; a line for each that is done
"""

import sys
import threading

from wire import (
    CHILDREN, CLOSE, CREATE, EPHEMERAL, EXISTS, GET, OPEN, SEQUENTIAL, SET, SYNC, Closed, Connection, create, put, text, watched,
)  # fmt: skip

CLIENTS, KEYS = 8, 5


class Client:
    """What one client was told, over all rounds."""

    def __init__(self, number, addresses):
        self.base, self.addresses, self.number = f"/survivors/{number}", addresses, number
        self.acked, self.tried, self.nodes, self.n, self.writes = {}, {}, [], 0, 0
        self.session = None

    def load(self, going):
        """Writes, three requests in flight, until the connection ends."""
        try:
            self.session = connection = Connection(self.addresses[self.number % len(self.addresses)], timeout=30_000)
            connection.call(CREATE, create(self.base))
            connection.call(CREATE, create(f"{self.base}/alive", b"", OPEN, EPHEMERAL))
            for key in range(KEYS):
                self.tried.setdefault(key, 0)
                connection.call(CREATE, create(f"{self.base}/key-{key}", b"0"))
            going.set()
            while True:
                self.step(connection)
        except (Closed, OSError):
            going.set()

    def step(self, connection):
        self.n += 1
        key = self.n % KEYS
        self.tried[key] = self.n
        connection.send(SET, put(f"{self.base}/key-{key}", str(self.n).encode()))
        connection.send(CREATE, create(f"{self.base}/node-", str(self.n).encode(), OPEN, SEQUENTIAL))
        connection.send(GET, watched(f"{self.base}/key-{key}"))
        _, _, err, _ = connection.receive()
        assert err == 0, f"a set failed with {err}"
        self.acked[key] = self.n
        _, _, err, reader = connection.receive()
        assert err == 0, f"a create failed with {err}"
        self.nodes.append(reader.text())
        self.writes += 2
        _, _, err, reader = connection.receive()
        assert err == 0 and int(reader.buffer()) == self.n, "a session does not read its own write"

    def check(self, connection):
        for key, acked in self.acked.items():
            path = f"{self.base}/key-{key}"
            _, err, reader = connection.call(GET, watched(path))
            assert err == 0, f"{path} = {acked} was acknowledged and is gone"
            found = int(reader.buffer())
            assert acked <= found <= self.tried[key], f"{path} is {found}; {acked} was acknowledged, {self.tried[key]} tried"
        _, err, reader = connection.call(CHILDREN, watched(self.base))
        if self.nodes:
            assert err == 0, f"{self.base} is gone"
            there = {f"{self.base}/{name}" for name in reader.vector(reader.text)}
            gone = [node for node in self.nodes if node not in there]
            assert not gone, f"acknowledged and gone: {gone}"

    def end_session(self, address):
        """The session outlived the servers, and its ephemeral with it."""
        if self.session is None or not self.nodes:
            return
        again = Connection(address, session=self.session.session, password=self.session.password)
        assert again.session == self.session.session, f"session 0x{self.session.session:x} is lost"
        _, err, reader = again.call(EXISTS, watched(f"{self.base}/alive"))
        assert err == 0 and reader.stat()["owner"] == again.session, "an ephemeral is lost before its session"
        again.call(CLOSE)
        self.session = None


def main():
    addresses = sys.argv[1:]
    first = Connection(addresses[0])
    first.call(CREATE, create("/survivors"))
    first.call(CLOSE)
    clients = [Client(number, addresses) for number in range(CLIENTS)]
    threads = []
    for line in sys.stdin:
        if line.strip() == "load":
            going = [threading.Event() for _ in clients]
            threads = [threading.Thread(target=client.load, args=(event,)) for client, event in zip(clients, going)]
            before = sum(client.writes for client in clients)
            for thread in threads:
                thread.start()
            for event in going:
                event.wait(30)
            print("loading", flush=True)
        else:
            for thread in threads:
                thread.join(30)
            assert sum(client.writes for client in clients) > before, "no write was acknowledged"
            for address in addresses:
                connection = Connection(address)
                connection.call(SYNC, text("/"))
                for client in clients:
                    client.check(connection)
                connection.call(CLOSE)
            for number, client in enumerate(clients):
                client.end_session(addresses[number % len(addresses)])
            print(f"checked {sum(client.writes for client in clients)}", flush=True)


main()
