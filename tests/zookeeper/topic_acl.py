"""Who may do what."""

import base64
import hashlib

from wire import *  # noqa: F403 - the protocol's words


def auth(scheme, credential):
    return integer(0) + text(scheme) + buffer(credential)


def login(session, scheme, credential):
    session.tell(f"auth {scheme} {credential!r}", AUTH, auth(scheme, credential), xid=-4)


BEN = "ben:" + base64.b64encode(hashlib.sha1(b"ben:secret").digest()).decode()


def run(t):
    t.section("access")
    a, b = t.connect("ann"), t.connect("ben")
    a.tell("who", WHO)
    login(a, "digest", b"ann:secret")
    a.tell("who", WHO)
    login(b, "digest", b"ben:secret")
    a.tell("parent", CREATE, create("/acl"))
    a.tell("auth expands", CREATE, create("/acl/mine", b"x", [(31, "auth", "")]))
    a.tell("its acl", GET_ACL, text("/acl/mine"))
    a.tell("for auth and for all", CREATE, create("/acl/both", b"x", [(3, "auth", "ignored"), (1, "world", "anyone")]))
    a.tell("its acl", GET_ACL, text("/acl/both"))
    for name, op, body in (
        ("get", GET, watched("/acl/mine")),
        ("exists", EXISTS, watched("/acl/mine")),
        ("children", CHILDREN, watched("/acl/mine")),
        ("children2", CHILDREN2, watched("/acl/mine")),
        ("all children", ALL_CHILDREN, text("/acl/mine")),
        ("acl", GET_ACL, text("/acl/mine")),
        ("set", SET, put("/acl/mine", b"y")),
        ("set, wrong version", SET, put("/acl/mine", b"y", 9)),
        ("create below", CREATE, create("/acl/mine/x")),
        ("set acl", SET_ACL, set_acl("/acl/mine", OPEN)),
        ("multi", MULTI, multi((SET, put("/acl", b"m")), (SET, put("/acl/mine", b"m")))),
        ("multi with check", MULTI, multi((CHECK, delete("/acl/mine", 0)))),
        ("multi of reads", MULTI_READ, multi((GET, watched("/acl/mine")), (CHILDREN, watched("/acl/mine")))),
        ("sync", SYNC, text("/acl/mine")),
        ("watch", ADD_WATCH, text("/acl/mine") + integer(0)),
        ("acl that is readable", GET_ACL, text("/acl/both")),
        ("get what is readable", GET, watched("/acl/both")),
        ("set what is readable", SET, put("/acl/both", b"y")),
        ("set what is not there", SET, put("/acl/mine/none", b"y")),
        ("delete what is not one's own, from an open parent", DELETE, delete("/acl/mine")),
    ):
        b.tell(name, op, body)

    t.section("access: lists")
    for name, acl in (
        ("none", []),
        ("null", None),
        ("unknown scheme", [(31, "nobody", "x")]),
        ("empty scheme", [(31, "", "x")]),
        ("world, but not anyone", [(31, "world", "someone")]),
        ("no permission", [(0, "world", "anyone")]),
        ("permissions that are none", [(64, "world", "anyone")]),
        ("the same twice", OPEN * 2),
        ("ip", [(31, "ip", "127.0.0.1")]),
        ("ip with bits", [(31, "ip", "127.0.0.0/8")]),
        ("ip of others", [(31, "ip", "10.0.0.0/8")]),
        ("ip with too many bits", [(31, "ip", "127.0.0.1/33")]),
        ("ip that is none", [(31, "ip", "localhost")]),
        ("ip of 6", [(31, "ip", "::1")]),
        ("digest", [(31, "digest", "ben:abc")]),
        ("digest without a colon", [(31, "digest", "ben")]),
        ("digest of three parts", [(31, "digest", "ben:a:b")]),
        ("auth", [(31, "auth", "")]),
        ("super", [(31, "super", "")]),
        ("x509", [(31, "x509", "CN=ben")]),
        ("sasl", [(31, "sasl", "ben")]),
    ):
        a.tell(f"create: {name}", CREATE, create(f"/acl/{name}", b"", acl))
        a.tell(f"acl: {name}", GET_ACL, text(f"/acl/{name}"))
        b.tell(f"get: {name}", GET, watched(f"/acl/{name}"))
        b.tell(f"create below: {name}", CREATE, create(f"/acl/{name}/x", b"", acl))
    c = t.connect("cat")
    c.tell("auth without being anyone", CREATE, create("/acl/c", b"", [(31, "auth", "")]))

    t.section("access: changes")
    a.tell("mine again", CREATE, create("/acl/mine", b"x", [(31, "auth", "")]))
    a.tell("set acl", SET_ACL, set_acl("/acl/mine", [(31, "auth", ""), (1, "digest", BEN)], 0))
    a.tell("set acl, wrong version", SET_ACL, set_acl("/acl/mine", OPEN, 0))
    a.tell("set acl, any version", SET_ACL, set_acl("/acl/mine", [(31, "auth", ""), (1, "world", "anyone")]))
    a.tell("set acl to none", SET_ACL, set_acl("/acl/mine", []))
    a.tell("set acl of nothing", SET_ACL, set_acl("/acl/none", OPEN))
    a.tell("the acl now", GET_ACL, text("/acl/mine"))
    b.tell("the acl, masked", GET_ACL, text("/acl/mine"))
    a.tell("may not delete children", CREATE, create("/acl/keep", b"", [(23, "world", "anyone")]))
    a.tell("its child", CREATE, create("/acl/keep/x"))
    a.tell("delete its child", DELETE, delete("/acl/keep/x"))
    a.tell("but delete itself", DELETE, delete("/acl/keep"))
    a.tell("may not be read", CREATE, create("/acl/dark", b"", [(30, "world", "anyone")]))
    a.tell("get", GET, watched("/acl/dark"))
    a.tell("get acl, as an administrator", GET_ACL, text("/acl/dark"))
    a.tell("acl of /", GET_ACL, text("/"))
    a.tell("acl of config", GET_ACL, text("/zookeeper/config"))
    a.tell("set config", SET, put("/zookeeper/config", b""))
    for name in ("reconfig, nothing", "reconfig"):  # in Java a transaction that fails
        members = text(None) * 3 if "nothing" in name else text("server.9=127.0.0.1:1:2;3") + text(None) * 2
        t.say(f"{name}: {a.call(RECONFIG, members + long(-1))[1]}")

    t.section("access: super")
    login(c, "digest", b"super:super")
    c.tell("who", WHO)
    c.tell("get", GET, watched("/acl/dark"))
    c.tell("set", SET, put("/acl/mine", b"super"))
    c.tell("delete", DELETE, delete("/acl/dark"))
    c.tell("the acl, unmasked", GET_ACL, text("/acl/mine"))

    t.section("access: who")
    login(b, "digest", b"ben:other")
    login(b, "digest", b"ben:secret")
    login(b, "ip", b"")
    b.tell("who", WHO)
    for scheme, credential in (
        ("digest", b"nocolon"), ("digest", b""), ("world", b"anyone"), ("nobody", b"x"), ("auth", b""),
        ("sasl", b"x"), ("x509", b"x"), (None, b"x"),
    ):  # fmt: skip
        d = t.connect("dan")
        d.tell(f"auth {scheme} {credential!r}", AUTH, auth(scheme, credential), xid=-4)
        d.tell("who", WHO)
        d.tell("end", CLOSE)
    for session in (a, b, c):
        session.tell("end", CLOSE)
