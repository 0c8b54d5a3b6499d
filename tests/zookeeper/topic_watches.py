"""Who hears of what, once or again, and in which order."""

from wire import *  # noqa: F403 - the protocol's words

CHILDREN_WATCH, DATA_WATCH, ANY_WATCH, PERSISTENT_WATCH, RECURSIVE_WATCH = 1, 2, 3, 4, 5


def texts(*paths):
    return vector(list(paths), text)


def run(t):
    once(t)
    lasting(t)
    removed(t)
    again(t)


def once(t):
    t.section("watches that fire once")
    a, b = t.connect("w"), t.connect("x")
    a.tell("parent", CREATE, create("/w"))
    a.tell("exists on nothing", EXISTS, watched("/w/a", True))
    a.tell("get on nothing", GET, watched("/w/b", True))
    a.tell("children on nothing", CHILDREN, watched("/w/b", True))
    a.tell("children", CHILDREN, watched("/w", True))
    a.tell("children2", CHILDREN2, watched("/w", True))
    a.tell("get", GET, watched("/w", True))
    b.tell("create /w/a", CREATE, create("/w/a"))
    a.flush()
    b.tell("create /w/b", CREATE, create("/w/b"))
    b.tell("set /w", SET, put("/w", b"1"))
    a.flush()
    b.tell("set /w again", SET, put("/w", b"2"))
    a.flush("nothing more")
    a.tell("get /w/a", GET, watched("/w/a", True))
    a.tell("exists /w/a", EXISTS, watched("/w/a", True))
    a.tell("children of /w/a", CHILDREN, watched("/w/a", True))
    a.tell("children of /w", CHILDREN, watched("/w", True))
    b.tell("delete /w/a", DELETE, delete("/w/a"))
    a.flush()
    a.tell("get /w/b", GET, watched("/w/b", True))
    b.tell("acl of /w/b", SET_ACL, set_acl("/w/b", OPEN))
    a.flush("an acl tells nobody")
    b.tell("a failure", SET, put("/w/b", b"", 9))
    a.flush("nor does a failure")
    a.tell("one's own change", SET, put("/w/b", b"own"))
    a.tell("children of /w", CHILDREN, watched("/w", True))
    a.tell("exists in a multi", EXISTS, watched("/w/m", True))
    b.tell("multi", MULTI, multi((CREATE, create("/w/m")), (SET, put("/w/m", b"1")), (DELETE, delete("/w/b"))))
    a.flush()
    a.tell("an ephemeral's", EXISTS, watched("/w/e", True))
    b.tell("create ephemeral", CREATE, create("/w/e", b"", OPEN, EPHEMERAL))
    a.tell("an ephemeral's", GET, watched("/w/e", True))
    a.tell("an ephemeral's parent", CHILDREN, watched("/w", True))
    b.tell("end", CLOSE)
    a.flush()
    hidden(t, a)
    a.tell("end", CLOSE)


def hidden(t, a):
    """Nobody hears of what they may not read."""
    b = t.connect("y")
    b.tell("auth", AUTH, integer(0) + text("digest") + buffer(b"y:y"), xid=-4)
    for path in ("/w/h1", "/w/h2"):
        a.tell(f"exists {path}", EXISTS, watched(path, True))
    a.tell("children", CHILDREN, watched("/w", True))
    b.tell("create what is hidden", CREATE, create("/w/h1", b"", [(31, "auth", "")]))
    a.flush()
    b.tell("delete what is hidden", DELETE, delete("/w/h1"))
    a.tell("persistent", ADD_WATCH, text("/w/h3") + integer(0))
    b.tell("create what is hidden", CREATE, create("/w/h3", b"", [(31, "auth", "")]))
    b.tell("set what is hidden", SET, put("/w/h3", b"1"))
    b.tell("delete what is hidden", DELETE, delete("/w/h3"))
    a.flush()
    b.tell("end", CLOSE)


def lasting(t):
    t.section("watches that last")
    a, b = t.connect("p"), t.connect("q")
    a.tell("parent", CREATE, create("/p"))
    a.tell("persistent", ADD_WATCH, text("/p") + integer(0))
    a.tell("recursive", ADD_WATCH, text("/p/r") + integer(1))
    a.tell("on nothing", ADD_WATCH, text("/p/none/x") + integer(0))
    a.tell("a bad path", ADD_WATCH, text("p") + integer(0))
    a.tell("get", GET, watched("/p", True))
    for name, op, body in (
        ("create /p/a", CREATE, create("/p/a")), ("set /p", SET, put("/p", b"1")), ("set /p", SET, put("/p", b"2")),
        ("create /p/r", CREATE, create("/p/r")), ("create /p/r/s", CREATE, create("/p/r/s")),
        ("create /p/r/s/t", CREATE, create("/p/r/s/t")), ("set /p/r/s/t", SET, put("/p/r/s/t")),
        ("delete /p/r/s/t", DELETE, delete("/p/r/s/t")), ("delete /p/a", DELETE, delete("/p/a")),
        ("set /p/r", SET, put("/p/r")),
    ):  # fmt: skip
        b.tell(name, op, body)
        a.flush()
    a.tell("both on one path", ADD_WATCH, text("/p/r") + integer(0))
    a.tell("once on it, too", CHILDREN, watched("/p/r", True))
    a.tell("once on data, too", GET, watched("/p/r", True))
    b.tell("create /p/r/u", CREATE, create("/p/r/u"))
    a.flush()
    b.tell("set /p/r", SET, put("/p/r", b"x"))
    a.flush()
    b.tell("multi", MULTI, multi((DELETE, delete("/p/r/u")), (DELETE, delete("/p/r/s")), (DELETE, delete("/p/r"))))
    a.flush()
    a.tell("recursive on /", ADD_WATCH, text("/") + integer(1))
    b.tell("create /p/z", CREATE, create("/p/z"))
    a.flush()
    b.tell("end", CLOSE)
    a.tell("end", CLOSE)


def removed(t):
    t.section("watches that are taken back")
    a = t.connect("r")
    a.tell("parent", CREATE, create("/r"))
    kinds = (CHILDREN_WATCH, DATA_WATCH, ANY_WATCH, PERSISTENT_WATCH, RECURSIVE_WATCH)
    for name, op, body in (
        ("none", EXISTS, watched("/r")), ("data", GET, watched("/r", True)), ("children", CHILDREN, watched("/r", True)),
        ("exists", EXISTS, watched("/r/x", True)),
        ("persistent", ADD_WATCH, text("/r") + integer(0)), ("recursive", ADD_WATCH, text("/r") + integer(1)),
    ):  # fmt: skip
        path = "/r/x" if name == "exists" else "/r"
        for kind in kinds:
            a.tell(f"{name}", op, body)
            a.tell(f"{name}: check {kind}", CHECK_WATCHES, text(path) + integer(kind))
            a.tell(f"{name}: remove {kind}", REMOVE_WATCHES, text(path) + integer(kind))
            a.tell(f"{name}: remove {kind} again", REMOVE_WATCHES, text(path) + integer(kind))
            a.tell(f"{name}: remove all", REMOVE_WATCHES, text(path) + integer(ANY_WATCH))
    a.tell("removed: nothing is heard", SET, put("/r", b"1"))
    a.flush()
    a.tell("end", CLOSE)


def again(t):
    t.section("watches that are set again")
    a, b = t.connect("s"), t.connect("u")
    a.tell("parent", CREATE, create("/s"))
    for name in ("same", "changed", "deleted", "children", "gone"):
        a.tell(f"create /s/{name}", CREATE, create(f"/s/{name}"))
    seen, _, _ = a.call(EXISTS, watched("/s"))
    for name, op, body in (
        ("change", SET, put("/s/changed", b"1")), ("delete", DELETE, delete("/s/deleted")),
        ("add", CREATE, create("/s/children/x")), ("delete", DELETE, delete("/s/gone")), ("create", CREATE, create("/s/created")),
    ):  # fmt: skip
        b.tell(name, op, body)
    every = texts(*(f"/s/{name}" for name in ("same", "changed", "deleted")))
    existing = texts("/s/created", "/s/gone", "/s/never")
    children = texts("/s/same", "/s/children", "/s/gone")
    a.tell("set watches", SET_WATCHES, long(seen) + every + existing + children, xid=-8)
    a.flush()
    b.tell("they are set", SET, put("/s/same", b"1"))
    b.tell("they are set", CREATE, create("/s/same/x"))
    b.tell("they are set", CREATE, create("/s/never"))
    a.flush()
    lasting = texts("/s/same") + texts("/s/children")
    a.tell("set more watches", SET_WATCHES2, long(seen) + every + existing + children + lasting, xid=-8)
    a.flush()
    b.tell("they last", SET, put("/s/same", b"2"))
    b.tell("they last", SET, put("/s/same", b"3"))
    b.tell("they reach down", CREATE, create("/s/children/x/y"))
    a.flush()
    a.tell("none", SET_WATCHES, long(seen) + texts() * 3, xid=-8)
    a.tell("another xid", SET_WATCHES, long(seen) + texts() * 3)
    a.tell("the future", SET_WATCHES, long(seen + 10_000) + texts("/s/same") + texts() * 2, xid=-8)
    a.drop()
    a.reopen()
    b.tell("watches do not outlive the connection", SET, put("/s/same", b"4"))
    a.flush()
    a.tell("end", CLOSE)
    b.tell("end", CLOSE)
