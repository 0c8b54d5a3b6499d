"""Sessions: begun, taken up again, moved, refused, ended, expired. With three servers, across them."""

import time

from wire import *  # noqa: F403 - the protocol's words


def run(t):
    handshakes(t)
    moves(t)
    expiry(t)


def handshakes(t):
    t.section("handshakes")
    for timeout in (0, -1, 1, 399, 400, 401, 60_000, 60_001, 2**31 - 1):
        t.connect(f"timeout {timeout}", timeout=timeout).tell("end", CLOSE)
    for read_only in (None, False, True):
        t.connect(f"read_only {read_only}", read_only=read_only).tell("end", CLOSE)
    t.connect("has seen the future", seen=1 << 60)
    t.connect("an unknown session", session=0x1234567, password=b"x" * 16)
    t.connect("an unknown session, no password", session=0x1234567)
    t.connect("a password for no session", password=b"x" * 16).tell("end", CLOSE)
    t.connect("a short password", password=b"x").tell("end", CLOSE)
    t.connect("a null password", password=None).tell("end", CLOSE)
    a = t.connect("a")
    for n in range(3):
        a.tell(f"ping {n}", PING, xid=-2)
    a.send(PING)
    t.say(f"ping by another xid: answered as {a.receive()[0]}")
    a.tell("a write before", CREATE, create("/session"))
    a.tell("end", CLOSE)
    t.connect("a session that has ended", session=a.session, password=a.password)


def moves(t):
    t.section("sessions that move")
    last = len(t.addresses) - 1
    a = t.connect("a")
    a.tell("an ephemeral", CREATE2, create("/moving", b"", OPEN, EPHEMERAL))
    wrong = t.connect("wrong password", server=last, session=a.session, password=b"x" * 16)
    if wrong is not None:
        wrong.tell_end() if wrong.session else wrong.drop()
    a.reopen()  # Java ends the connection of a session whose password somebody else has guessed wrong
    a.tell("still there", EXISTS, watched("/moving"))
    b = t.connect("a, elsewhere", server=last, session=a.session, password=a.password)
    b.tell("its ephemeral", SYNC, text("/moving"))
    b.tell("its ephemeral", EXISTS, watched("/moving"))
    b.tell("another", CREATE, create("/moving2", b"", OPEN, EPHEMERAL))
    b.tell("ephemerals", EPHEMERALS, text("/"))
    near = t.connect("beside a")
    near.tell("sync", SYNC, text("/"))  # or the answer to the write of the same xid, made elsewhere, could be taken for the old connection's
    near.tell("end", CLOSE)
    moved(t, a)
    b.tell("and goes on", SET, put("/moving", b"b"))
    c = t.connect("a, with another timeout", session=a.session, password=a.password, timeout=7_000)
    c.tell("ping", PING, xid=-2)
    c.tell("write", SET, put("/moving", b"c"))
    c.tell("end", CLOSE)
    d = t.connect("d", server=last)
    d.tell("sync", SYNC, text("/"))
    d.tell("the ephemerals are gone", EXISTS, watched("/moving"))
    d.tell("the ephemerals are gone", EXISTS, watched("/moving2"))
    d.tell("end", CLOSE)


def moved(t, a):
    """The old connection: on the same server it is closed, elsewhere its next write is refused."""
    try:
        zxid, err, _ = a.call(SET, put("/moving", b"a"))
        t.say(f"the old connection: {err} at {t.zxid(zxid)}")
        a.socket.settimeout(5)
        a.receive()
        t.say("the old connection: not closed")
    except Closed:
        t.say("the old connection: closed")


def expiry(t):
    t.section("sessions that expire")
    last = len(t.addresses) - 1
    w = t.connect("watcher", server=last)
    a, k = t.connect("dies", timeout=1_000), t.connect("lives", timeout=1_000)
    for session, path in ((a, "/dies"), (a, "/dies2"), (k, "/lives")):
        session.tell(f"create {path}", CREATE, create(path, b"", OPEN, EPHEMERAL))
    w.call(SYNC, text("/"))
    w.tell("watch", EXISTS, watched("/dies", True))
    a.drop()
    began = time.monotonic()
    while w.call(EXISTS, watched("/dies"))[1] == 0 and time.monotonic() < began + 10:
        k.call(PING, xid=-2)
        time.sleep(0.1)
    took = time.monotonic() - began
    t.say(f"expired within its time: {0.8 < took < 2.0 or took}")
    w.tell_events()
    w.tell("both went at once", EXISTS, watched("/dies2"))
    w.tell("one that pings lives", EXISTS, watched("/lives"))
    t.connect("comes back", session=a.session, password=a.password)
    for session in (k, w):
        session.tell("end", CLOSE)
