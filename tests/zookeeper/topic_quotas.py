"""Quotas: what is counted, what is refused."""

from wire import *  # noqa: F403 - the protocol's words

QUOTA = "/zookeeper/quota"


def run(t):
    t.section("quotas")
    a = t.connect("q", server=t.leader())  # Java's leader judges by what it has applied, and a follower may have applied more
    a.tell("what is there", CHILDREN, watched(QUOTA))
    for path in ("/soft", "/hard", "/hard/deep"):
        a.tell(f"create {path}", CREATE, create(path, b"12345"))
    for path in ("/soft", "/hard"):
        a.tell(f"quota for {path}", CREATE, create(QUOTA + path))
    a.tell("soft limits", CREATE, create(QUOTA + "/soft/zookeeper_limits", b"count=2,bytes=20"))
    a.tell("soft stats", CREATE, create(QUOTA + "/soft/zookeeper_stats", b"count=0,bytes=0"))
    a.tell("hard limits", CREATE, create(QUOTA + "/hard/zookeeper_limits", b"count=-1,bytes=-1=;byteHardLimit=30;countHardLimit=4"))
    a.tell("hard stats", CREATE, create(QUOTA + "/hard/zookeeper_stats", b"count=0,bytes=0"))

    def stats():
        for path in ("/soft", "/hard"):
            a.tell(f"stats of {path}", GET, watched(f"{QUOTA}{path}/zookeeper_stats"))

    stats()
    for name, op, body in (
        ("soft: create", CREATE, create("/soft/a", b"1234567890")), ("soft: create", CREATE, create("/soft/b", b"1234567890")),
        ("soft: set", SET, put("/soft/a", b"1" * 100)), ("soft: delete", DELETE, delete("/soft/b")),
        ("hard: create", CREATE, create("/hard/a", b"1234567890")), ("hard: create", CREATE, create("/hard/b", b"123")),
        ("hard: one too many", CREATE, create("/hard/c", b"1")), ("hard: deep", CREATE, create("/hard/deep/x", b"1")),
        ("hard: set within", SET, put("/hard/b", b"12345")), ("hard: set beyond", SET, put("/hard/b", b"1" * 50)),
        ("hard: set smaller", SET, put("/hard/a", b"1")), ("hard: delete", DELETE, delete("/hard/b")),
        ("hard: too large", CREATE, create("/hard/big", b"1" * 50)), ("hard: null", CREATE, create("/hard/null", None)),
        ("hard: to null", SET, put("/hard/a", None)),
        ("hard: multi beyond", MULTI, multi((CREATE, create("/hard/m1")), (CREATE, create("/hard/m2")))),
        ("hard: ephemeral", CREATE, create("/hard/e", b"1", OPEN, EPHEMERAL)),
        ("hard: sequential", CREATE, create("/hard/s", b"1", OPEN, SEQUENTIAL)),
    ):  # fmt: skip
        a.tell(name, op, body)
        stats()
    a.tell("limits changed", SET, put(QUOTA + "/hard/zookeeper_limits", b"count=100,bytes=-1"))
    a.tell("one more now", CREATE, create("/hard/more"))
    a.tell("limits that are none", SET, put(QUOTA + "/hard/zookeeper_limits", b"count=-1,bytes=-1"))
    a.tell("and another", CREATE, create("/hard/more2"))
    stats()
    a.tell("the quota goes", DELETE, delete(QUOTA + "/hard/zookeeper_limits"))
    a.tell("and its stats", DELETE, delete(QUOTA + "/hard/zookeeper_stats"))
    a.tell("uncounted", CREATE, create("/hard/free"))
    a.tell("end", CLOSE)
