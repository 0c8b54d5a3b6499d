"""Several operations as one, and several reads in one."""

from wire import *  # noqa: F403 - the protocol's words


def run(t):
    t.section("multi")
    a = t.connect("m")
    a.tell("parent", CREATE, create("/m", b"0"))
    a.tell("nothing", MULTI, multi())
    a.tell("all kinds", MULTI, multi(
        (CREATE, create("/m/a", b"a")),
        (CREATE2, create("/m/b", b"b")),
        (CREATE, create("/m/s-", b"", OPEN, SEQUENTIAL)),
        (CREATE, create("/m/e", b"", OPEN, EPHEMERAL)),
        (CREATE_CONTAINER, create("/m/c", b"", OPEN, CONTAINER)),
        (CREATE_TTL, create("/m/t", b"", OPEN, TTL, 60000)),
        (SET, put("/m", b"1", 0)),
        (CHECK, delete("/m", 1)),
        (CREATE, create("/m/gone")),
        (DELETE, delete("/m/gone")),
    ))  # fmt: skip
    a.tell("what it left", CHILDREN2, watched("/m"))
    a.tell("its node", EXISTS, watched("/m/a"))
    for name, operations in (
        ("the first fails", [(CREATE, create("/m/a")), (SET, put("/m", b"x"))]),
        ("the last fails", [(CREATE, create("/m/new")), (SET, put("/m", b"x")), (CHECK, delete("/m", 7))]),
        ("the middle fails", [(CREATE, create("/m/new")), (DELETE, delete("/m/none")), (SET, put("/m", b"x"))]),
        ("check of nothing", [(CHECK, delete("/m/none", 0))]),
        ("check alone", [(CHECK, delete("/m", 1))]),
        ("check of any version", [(CHECK, delete("/m", -1))]),
        ("not empty", [(DELETE, delete("/m"))]),
        ("bad path", [(CREATE, create("m/x"))]),
        ("no acl", [(CREATE, create("/m/x", b"", []))]),
        ("the same twice", [(CREATE, create("/m/x")), (CREATE, create("/m/x"))]),
        ("a child of what it makes", [(CREATE, create("/m/y")), (CREATE, create("/m/y/z")), (SET, put("/m/y", b"y", 0))]),
        ("a child of what it unmakes", [(DELETE, delete("/m/y/z")), (DELETE, delete("/m/y")), (CREATE, create("/m/y/w"))]),
        ("sequences", [(CREATE, create("/m/y/s", b"", OPEN, SEQUENTIAL)), (CREATE, create("/m/y/s", b"", OPEN, SEQUENTIAL))]),
        ("versions add up", [(SET, put("/m/y", b"1", 1)), (SET, put("/m/y", b"2", 2)), (CHECK, delete("/m/y", 3))]),
        ("bad flags", [(CREATE, create("/m/x", b"", OPEN, 9))]),
    ):
        a.tell(name, MULTI, multi(*operations))
    a.tell("after all", CHILDREN2, watched("/m"))
    a.tell("after all, /m/y", GET, watched("/m/y"))
    a.tell("the number after failures", CREATE2, create("/m/s-", b"", OPEN, SEQUENTIAL))
    a.tell("many", MULTI, multi(*((CREATE, create(f"/m/many-{n}")) for n in range(200))))
    a.tell("many again", MULTI, multi(*((DELETE, delete(f"/m/many-{n}")) for n in range(200))))
    # What the original does with an operation that is none of these, it does to its own client, too.
    a.tell_last("a read in it", MULTI, multi((GET, watched("/m"))))

    t.section("multi: reads")
    a.tell("nothing", MULTI_READ, multi())
    a.tell("reads", MULTI_READ, multi((GET, watched("/m")), (CHILDREN, watched("/m/y")), (GET, watched("/m/a"))))
    a.tell("some fail", MULTI_READ, multi((GET, watched("/none")), (CHILDREN, watched("/none")), (GET, watched("/m/a"))))
    a.tell("watches", MULTI_READ, multi((GET, watched("/m/a", True)), (CHILDREN, watched("/m/a", True))))
    a.tell("set what may be watched", SET, put("/m/a", b"b"))
    a.tell("add to what may be watched", CREATE, create("/m/a/b"))
    a.flush()
    a.tell("end", CLOSE)
