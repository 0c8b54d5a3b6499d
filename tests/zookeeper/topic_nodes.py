"""Nodes: create, read, change, delete; what is refused, and with what."""

from wire import *  # noqa: F403 - the protocol's words


def run(t):
    t.section("nodes")
    a = t.connect("a")
    a.tell("create /n", CREATE, create("/n", b"data"))
    a.tell("create /n again", CREATE, create("/n", b"data"))
    a.tell("create2 again", CREATE2, create("/n", b"data"))
    a.tell("create2 /n/two", CREATE2, create("/n/two", b"2"))
    a.tell("create without a parent", CREATE, create("/n/none/child"))
    a.tell("create without data", CREATE2, create("/n/null", None))
    a.tell("get null data", GET, watched("/n/null"))
    a.tell("exists /n", EXISTS, watched("/n"))
    a.tell("exists nothing", EXISTS, watched("/n/none"))
    a.tell("get /n", GET, watched("/n"))
    a.tell("get nothing", GET, watched("/n/none"))
    a.tell("children", CHILDREN, watched("/n"))
    a.tell("children2", CHILDREN2, watched("/n"))
    a.tell("children of nothing", CHILDREN, watched("/n/none"))
    a.tell("children2 of nothing", CHILDREN2, watched("/n/none"))
    a.tell("set", SET, put("/n", b"more", 0))
    a.tell("set, wrong version", SET, put("/n", b"more", 0))
    a.tell("set, any version", SET, put("/n", b"most"))
    a.tell("set to null", SET, put("/n", None))
    a.tell("set nothing", SET, put("/n/none", b""))
    a.tell("set, a version below any", SET, put("/n", b"x", -2))
    a.tell("delete, wrong version", DELETE, delete("/n/two", 3))
    a.tell("delete, not empty", DELETE, delete("/n"))
    a.tell("delete", DELETE, delete("/n/two", 0))
    a.tell("delete nothing", DELETE, delete("/n/two"))
    a.tell("the parent after it", EXISTS, watched("/n"))
    a.tell("the parent of a failure", EXISTS, watched("/n"))
    a.tell("set /", SET, put("/", b"root"))
    a.tell("set / back", SET, put("/", b""))
    a.tell("delete /", DELETE, delete("/"))
    a.tell("create /", CREATE, create("/"))
    a.tell("create below /zookeeper", CREATE, create("/zookeeper/x"))
    a.tell("delete below /zookeeper", DELETE, delete("/zookeeper/x"))
    a.tell("delete /zookeeper/quota", DELETE, delete("/zookeeper/quota"))
    a.tell("sync", SYNC, text("/n"))
    a.tell("sync nothing", SYNC, text("/nothing"))
    a.tell("sync a bad path", SYNC, text("no path"))
    a.tell_last("check outside of a multi", CHECK, delete("/n", 4))
    for n in range(3):
        a.tell(f"deep {n}", CREATE, create("/n" + "/d" * (n + 1)))
    a.tell("all children of /n", ALL_CHILDREN, text("/n"))
    a.tell("all children of nothing", ALL_CHILDREN, text("/none"))
    a.tell("end", CLOSE)

    paths(t)
    sequences(t)
    kinds(t)


PATHS = ["", "n", "/n/", "//n", "/n//x", "/n/.", "/n/..", "/n/./x", "/n/../x", "/n/a\0b", "/n/a\1b", "/n/a\x1fb", "/n/a\x7fb",
         "/n/a\x9fb", "/n/\ue000", "/n/\uf8ff", "/n/\ufff0", "/n/\uffff", "/n/...", "/n/.x", "/n/ä€", "/n/\U0001f600", "/n/a b",
         "/zookeeper", "/n/" + "x" * 300]  # fmt: skip


def paths(t):
    t.section("paths")
    a = t.connect("p")
    for path in PATHS:
        a.tell(f"create {path!r:.40}", CREATE, create(path))
    for path in PATHS[:-2]:
        for name, op, body in (
            ("delete", DELETE, delete),
            ("set", SET, put),
            ("exists", EXISTS, watched),
            ("exists, watched", EXISTS, lambda path: watched(path, True)),
            ("get", GET, watched),
            ("children", CHILDREN, watched),
            ("acl", GET_ACL, text),
        ):
            a.tell(f"{name} {path!r:.40}", op, body(path))
    a.tell("end", CLOSE)


def sequences(t):
    t.section("sequences")
    a = t.connect("q")
    a.tell("parent", CREATE, create("/q"))
    for name in ("/q/a-", "/q/a-", "/q/b", "/q/", "/q/a-"):
        a.tell(f"sequential {name}", CREATE, create(name, b"", OPEN, SEQUENTIAL))
    a.tell("delete one", DELETE, delete("/q/a-0000000000"))
    a.tell("the number goes on", CREATE2, create("/q/a-", b"", OPEN, SEQUENTIAL))
    a.tell("ephemeral and sequential", CREATE2, create("/q/e-", b"", OPEN, EPHEMERAL_SEQUENTIAL))
    a.tell("exists already", CREATE, create("/q/a-0000000008"))
    a.tell("a number that is taken", CREATE, create("/q/a-", b"", OPEN, SEQUENTIAL))
    a.tell("and then", CREATE, create("/q/a-", b"", OPEN, SEQUENTIAL))
    a.tell("without a parent", CREATE, create("/q/none/a-", b"", OPEN, SEQUENTIAL))
    a.tell("bad path", CREATE, create("/q//", b"", OPEN, SEQUENTIAL))
    a.tell("children", CHILDREN2, watched("/q"))
    a.tell("end", CLOSE)


def kinds(t):
    t.section("kinds of nodes")
    a = t.connect("k")
    a.tell("parent", CREATE, create("/k"))
    for op, name in ((CREATE, "create"), (CREATE2, "create2"), (CREATE_CONTAINER, "container")):
        for flags in (*range(7), 7, 100, -1):
            a.tell(f"{name} with flags {flags}", op, create(f"/k/{name}-{flags}-", b"", OPEN, flags))
    # A negative ttl, or one of more than 40 bits, ends Java's server.
    for flags in (*range(7), 7):
        for ttl in (5000, 0):
            a.tell(f"ttl {ttl} with flags {flags}", CREATE_TTL, create(f"/k/t-{flags}-{ttl}-", b"", OPEN, flags, ttl))
    a.tell("children", CHILDREN2, watched("/k"))
    for name in ("create-1-", "container-4-", "t-5-5000-"):
        a.tell(f"stat of {name}", EXISTS, watched(f"/k/{name}"))
    a.tell("child of an ephemeral", CREATE, create("/k/create-1-/x"))
    a.tell("child of a container", CREATE, create("/k/container-4-/x"))
    a.tell("child of a TTL node", CREATE, create("/k/t-5-5000-/x"))
    a.tell("ephemerals", EPHEMERALS, text("/k"))
    a.tell("ephemerals of /", EPHEMERALS, text("/"))
    a.tell("ephemerals elsewhere", EPHEMERALS, text("/k/none"))
    a.tell("set an ephemeral", SET, put("/k/create-1-", b"alive"))
    a.tell("delete an ephemeral", DELETE, delete("/k/create-1-"))
    a.tell("end", CLOSE)
    b = t.connect("l")
    b.tell("what the end left", CHILDREN2, watched("/k"))
    b.tell("end", CLOSE)
