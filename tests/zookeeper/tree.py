"""Compares the trees of servers node by node: data, every field of the stat, the ACL.

    tree.py HOST:PORT HOST:PORT …        prints how many nodes there are, or what differs
"""

import logging
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError


logging.disable(logging.CRITICAL)


def tree(address):
    zk = KazooClient(address, timeout=20)
    zk.start(timeout=30)
    zk.add_auth("digest", "super:super")
    zk.sync("/")
    nodes, stack = {}, ["/"]
    while stack:
        path = stack.pop()
        try:
            data, stat = zk.get(path)
            acl, _ = zk.get_acls(path)
            names = sorted(zk.get_children(path))
        except NoNodeError:  # an ephemeral of a client that has just gone
            continue
        # Every server writes this one for itself when it starts, and lists its lines in any order.
        if path == "/zookeeper/config":
            data, stat = b"\n".join(sorted(data.splitlines())), ()
        acl = sorted((entry.perms, entry.id.scheme, entry.id.id) for entry in acl)
        nodes[path] = (data, tuple(stat), acl)
        stack.extend(f"{path.rstrip('/')}/{name}" for name in names)
    zk.stop()
    zk.close()
    return nodes


def main():
    addresses = sys.argv[1:]
    first, *others = [tree(address) for address in addresses]
    different = 0
    for address, other in zip(addresses[1:], others):
        for path in sorted(first.keys() | other.keys()):
            if first.get(path) != other.get(path):
                different += 1
                print(f"{path}: {addresses[0]} has {first.get(path)}, {address} has {other.get(path)}")
    print(f"{len(first)} nodes")
    sys.exit(1 if different else 0)


main()
