"""What no good client sends."""

from wire import *  # noqa: F403 - the protocol's words


def run(t):
    t.section("requests that are none")
    a = t.connect("f")
    # Numbers of nobody. What servers ask for between themselves (createSession, deleteContainer) Java lets clients do, too.
    for op in (0, 10, 23, 50, 99, 108, 200, -1, -12, 1000):
        a.tell_last(f"operation {op}", op, b"")
    for op in (CREATE, DELETE, EXISTS, GET, SET, GET_ACL, SET_ACL, CHILDREN, CHILDREN2, SYNC, CREATE2, CREATE_CONTAINER,
               MULTI_READ, SET_WATCHES, SET_WATCHES2, ADD_WATCH, CHECK_WATCHES, REMOVE_WATCHES, EPHEMERALS, ALL_CHILDREN):  # fmt: skip
        for name, body in (("empty", b""), ("cut short", integer(100) + b"/x"), ("negative", integer(-2)), ("huge", integer(2**31 - 1))):
            a.tell(f"operation {op}, {name}", op, body)
    a.tell("trailing bytes", EXISTS, watched("/") + b"xyz")
    a.tell("an add watch of no mode", ADD_WATCH, text("/") + integer(7))
    a.tell("removal of no kind", REMOVE_WATCHES, text("/") + integer(9))
    a.tell("check of no kind", CHECK_WATCHES, text("/") + integer(9))
    a.tell("xid 0", EXISTS, watched("/"), xid=0)
    a.tell("an xid twice", EXISTS, watched("/"), xid=0)
    a.tell("a high xid", EXISTS, watched("/"), xid=2**31 - 1)
    a.tell("a low xid", EXISTS, watched("/"), xid=-(2**31))
    a.tell("end", CLOSE)

    t.section("frames that are none")
    for name, frame in (
        ("empty", b""), ("a byte", b"x"), ("an xid only", integer(1)), ("negative", None),
    ):  # fmt: skip
        a = t.connect("g")
        if frame is None:
            a.socket.sendall(integer(-5))
        else:
            a.send_frame(frame)
        t.say(name)
        a.tell_end()
        a.tell("goes on", EXISTS, watched("/"))
        a.tell("end", CLOSE)

    t.section("large frames")
    a = t.connect("l")
    a.tell("parent", CREATE, create("/large"))
    head = len(create("/large/x", b"")) + 8
    a.tell("the largest", CREATE, create("/large/x", b"x" * (0xFFFFF - head)))
    a.tell("its length", EXISTS, watched("/large/x"))
    a.tell("its data", GET, watched("/large/x"))
    a.tell_last("one byte more", CREATE, create("/large/y", b"x" * (0xFFFFF - head + 1)))
    a.tell("it was not made", EXISTS, watched("/large/y"))
    a.tell("delete", DELETE, delete("/large/x"))
    a.tell("end", CLOSE)

    t.section("many at once")
    a = t.connect("p")
    a.tell("parent", CREATE, create("/many"))
    asked = []
    for n in range(100):
        asked.append(a.send(CREATE, create("/many/n-", b"", OPEN, SEQUENTIAL)))
        asked.append(a.send(CHILDREN, watched("/many")))
        asked.append(a.send(SET, put("/many", str(n).encode(), n - 1 if n % 10 else -1)))
        asked.append(a.send(GET, watched("/many")))
    answers = [a.receive() for _ in asked]
    t.say(f"in order: {[answer[0] for answer in answers] == asked}")
    for xid, zxid, err, reader in answers:
        op = (CREATE, CHILDREN, SET, GET)[(xid - asked[0]) % 4]
        shown = len(reader.vector(reader.text)) if op == CHILDREN and err == 0 else a.show(op, reader) if err == 0 else ""
        t.say(f"{xid - asked[0]}: {err} at {t.zxid(zxid)} {shown}")
    a.tell("end", CLOSE)
