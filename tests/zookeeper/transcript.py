"""What was asked and what was answered, line by line, with what may differ between two runs made comparable.

zxids are told relative to a start, times as "now", session ids by the name of the session.
"""

import time

from wire import (
    ADD_WATCH, ALL_CHILDREN, CHECK, CHILDREN, CHILDREN2, CREATE, CREATE2, CREATE_CONTAINER, CREATE_TTL, EPHEMERALS, EXISTS, GET,
    GET_ACL, MULTI, MULTI_READ, SET, SET_ACL, SYNC, WHO, Closed, Connection, Reader, words,
)  # fmt: skip


class Transcript:
    """Prints lines; knows the sessions and where zxids began."""

    def __init__(self, addresses):
        self.addresses, self.names, self.base = addresses, {}, 0

    def section(self, title):
        """Begins anew: zxids count from here."""
        probe = Connection(self.addresses[0])
        self.base, _, _ = probe.call(EXISTS, bytes([0, 0, 0, 1]) + b"/\0")
        probe.call(-11)
        self.base += 1  # its own end
        print(f"\n# {title}")

    def say(self, line):
        print(line)

    def zxid(self, value):
        if value in (0, -1):
            return str(value)
        return f"{value - self.base:+}" if value >= self.base else "before"

    def owner(self, value):
        return self.names.get(value, "0" if value == 0 else hex(value & (1 << 64) - 1))

    @staticmethod
    def moment(value):
        return "0" if value == 0 else "now" if abs(value / 1000 - time.time()) < 120 else str(value)

    def stat(self, stat):
        shown = dict(stat)
        for key in ("czxid", "mzxid", "pzxid"):
            shown[key] = self.zxid(stat[key])
        for key in ("ctime", "mtime"):
            shown[key] = self.moment(stat[key])
        shown["owner"] = self.owner(stat["owner"])
        return "{" + " ".join(f"{key}={value}" for key, value in shown.items()) + "}"

    def leader(self):
        """Which server has applied what it answers before it judges the next write: the one that leads."""
        modes = [words(address, "srvr") for address in self.addresses]
        return next((number for number, said in enumerate(modes) if "Mode: leader" in said), 0)

    def connect(self, name, server=0, **how):
        """A session with a name, and the answer to its handshake."""
        try:
            session = Session(self, self.addresses[server], name, **how)
        except Closed:
            self.say(f"{name}: closed at the handshake")
            return None
        how.pop("session", None)
        known = session.session in self.names
        if session.session and not known:
            self.names[session.session] = name
        self.say(
            f"{name}: protocol={session.protocol} timeout={session.timeout} session={self.owner(session.session)} "
            f"password={'some' if any(session.password or b'') else session.password} read_only={session.read_only} "
            f"rest={session.rest.hex()}"
        )
        return session


class Session(Connection):
    """A connection whose every answer is told."""

    def __init__(self, transcript, address, name, **how):
        self.transcript, self.name, self.address = transcript, name, address
        super().__init__(address, **how)

    def tell(self, label, op, body=b"", xid=None):
        """Asks, and tells the answer."""
        say = self.transcript.say
        try:
            zxid, err, reader = self.call(op, body, xid)
        except Closed:
            self.tell_events()
            say(f"{self.name}: {label}: closed")
            self.reopen()
            return None
        except TimeoutError:
            self.tell_events()
            say(f"{self.name}: {label}: no answer")
            return None
        self.tell_events()
        shown = self.show(op, reader) if err == 0 else ""
        rest = f" rest={reader.data.hex()}" if reader.data else ""
        say(f"{self.name}: {label}: {err} at {self.transcript.zxid(zxid)}{shown}{rest}")
        return err

    def tell_last(self, label, op, body=b"", xid=None):
        """Asks what ends the connection, and goes on with another one."""
        if self.tell(label, op, body, xid) is not None:
            self.tell_end()

    def tell_end(self):
        """Whether the server ends the connection by itself."""
        self.socket.settimeout(2)
        try:
            while True:
                xid, zxid, err, reader = self.receive()
                self.transcript.say(f"{self.name}: unasked {xid}: {err} at {self.transcript.zxid(zxid)} {reader.data.hex()}")
        except Closed:
            self.tell_events()
            self.transcript.say(f"{self.name}: closed")
            self.reopen()
        except TimeoutError:
            self.tell_events()
            self.transcript.say(f"{self.name}: not closed")

    def reopen(self):
        """A new connection for the same session."""
        session, xid = self.session, self.xid
        super().__init__(self.address, timeout=self.timeout, session=session, password=self.password)
        self.xid = xid
        self.transcript.say(f"{self.name}: {'again' if self.session == session else 'its session is gone'}")

    def tell_events(self):
        for zxid, err, kind, state, path, rest in self.events:
            event = {-1: "none", 1: "created", 2: "deleted", 3: "changed", 4: "children"}.get(kind, str(kind))
            at = self.transcript.zxid(zxid)
            self.transcript.say(f"{self.name}: event {event} {path} state={state} at {at} err={err} rest={rest.hex()}")
        self.events = []

    def flush(self, label="flush"):
        """What has happened until now: every event of it comes before the answer."""
        self.call(SYNC, bytes([0, 0, 0, 1]) + b"/")
        self.transcript.say(f"{self.name}: {label}")
        self.tell_events()

    def show(self, op, reader):
        stat = self.transcript.stat
        show = {
            CREATE: lambda r: r.text(),
            SYNC: lambda r: r.text(),
            EXISTS: lambda r: stat(r.stat()),
            SET: lambda r: stat(r.stat()),
            SET_ACL: lambda r: stat(r.stat()),
            GET: lambda r: f"{r.buffer()!r:.80} {stat(r.stat())}",
            GET_ACL: lambda r: f"{r.vector(r.acl)} {stat(r.stat())}",
            CHILDREN: lambda r: sorted(r.vector(r.text)),
            EPHEMERALS: lambda r: sorted(r.vector(r.text)),
            CHILDREN2: lambda r: f"{sorted(r.vector(r.text))} {stat(r.stat())}",
            ALL_CHILDREN: lambda r: r.integer(),
            ADD_WATCH: lambda r: r.integer(),
            WHO: lambda r: sorted(r.vector(lambda: (r.text(), r.text()))),
            MULTI: self.show_multi,
            MULTI_READ: self.show_multi,
        }  # fmt: skip
        for kind in (CREATE2, CREATE_CONTAINER, CREATE_TTL):
            show[kind] = lambda r: f"{r.text()} {stat(r.stat())}"
        try:
            return f" {show[op](reader)}" if op in show else ""
        except EOFError as error:
            return f" cut short: {error}"

    def show_multi(self, reader: Reader):
        results = []
        while True:
            kind, done, err = reader.integer(), reader.flag(), reader.integer()
            if done:
                return f"[{'; '.join(results)}] end={kind},{err}"
            if kind == -1:
                shown = f" {reader.integer()}"
            elif kind in (CHECK, 2):
                shown = ""
            else:
                shown = self.show(kind, reader)
            results.append(f"{kind},{err}{shown}")
