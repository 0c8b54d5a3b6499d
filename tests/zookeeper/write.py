"""Creates nodes, each acknowledged.

    write.py HOST:PORT[,…] PREFIX COUNT
"""

import logging
import sys

from kazoo.client import KazooClient

logging.disable(logging.CRITICAL)
hosts, prefix, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
zk = KazooClient(hosts, timeout=20)
zk.start(timeout=30)
zk.ensure_path(prefix)
for answer in [zk.create_async(f"{prefix}/node-", b"x" * 100, sequence=True) for _ in range(count)]:
    answer.get(timeout=30)
zk.stop()
zk.close()
