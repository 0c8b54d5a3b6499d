"""Writes that are never acknowledged: sent when told so, to a leader that nobody follows any more.

    stray.py HOST:PORT PREFIX COUNT
"""

import sys

from wire import CREATE, Connection, create

connection = Connection(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    connection.send(CREATE, create(f"{sys.argv[2]}-{number}", b"stray"))
print("sent", flush=True)
sys.stdin.readline()
