"""Drives a cluster with Python's aetcd and prints what it answers, so that two clusters can be compared.

Usage: aetcd_check.py ENDPOINT...   (http://host:port; the first one leads)
"""

import asyncio
import sys
import time
from urllib.parse import urlparse

import aetcd


def connect(endpoint):
    address = urlparse(endpoint)
    return aetcd.Client(host=address.hostname, port=address.port, timeout=30)


def show(kv):
    return f"{kv.key.decode()} = {kv.value.decode()} (created {kv.create_revision}, modified {kv.mod_revision}, version {kv.version})"


async def events_of(watch, count):
    async for event in watch:
        kv = event.kv
        print(f"  {event.kind} {kv.key.decode()} = {kv.value.decode()} at {kv.mod_revision}, version {kv.version}")
        count -= 1
        if count == 0:
            break
    await watch.cancel()


async def failure(call):
    try:
        await call
        return "no error"
    except Exception as error:
        return f"{type(error).__name__} {error}"


async def puts_and_gets(client):
    for i in range(5):
        put = await client.put(f"k{i}".encode(), f"v{i}".encode())
        print(f"put k{i}: revision {put.header.revision}")
    put = await client.put(b"k1", b"again", prev_kv=True)
    print(f"put k1: previous {put.prev_kv.value.decode()}")
    print(f"get k1: {show(await client.get(b'k1'))}")
    print(f"get nothing: {await client.get(b'nothing')}")
    print("get k*:")
    for kv in await client.get_prefix(b"k", sort_order="descend", sort_target="mod"):
        print(f"  {show(kv)}")
    print(f"replace: {await client.replace(b'k2', b'v2', b'w2')}, {await client.replace(b'k2', b'v2', b'x2')}")
    print(f"delete: {(await client.delete(b'k3', prev_kv=True)).prev_kv.value.decode()}, {await client.delete(b'k3')}")
    print(f"delete range: {(await client.delete_range(b'k3', b'k5')).deleted}")


async def transactions(client):
    for _ in range(2):
        succeeded, answers = await client.transaction(
            compare=[client.transactions.value(b"k1") == b"again", client.transactions.version(b"none") == 0],
            success=[client.transactions.put(b"k1", b"swapped"), client.transactions.get(b"k0")],
            failure=[client.transactions.get(b"k1"), client.transactions.delete(b"k4")],
        )
        print(f"transaction: {succeeded}, {len(answers)} answers")


async def watches(client, other):
    head = (await client.put(b"w/0", b"head")).header.revision
    print("from now:")
    # A member that has heard of nothing later than the reader has.
    await other.get(b"w/0")
    watch = await other.watch_prefix(b"w/")
    for i in range(4):
        await client.put(f"w/{i}".encode(), f"x{i}".encode())
    await client.delete(b"w/2")
    await events_of(watch, 5)
    print("from the past:")
    await events_of(await client.watch_prefix(b"w/", start_revision=head), 6)
    print("one key from the past, deletions only:")
    await events_of(await client.watch(b"w/2", start_revision=1, kind=aetcd.EventKind.DELETE), 1)
    print("from the future:")
    watch = await other.watch(b"w/f", start_revision=head + 7)
    await client.put(b"w/f", b"too early")
    await client.put(b"w/f", b"in time")
    await events_of(watch, 1)
    print(f"nothing in a second: {await failure(other.watch_once(b'w/none', timeout=1))}")


async def leases(client):
    lease = await client.lease(60)
    print(f"lease: granted {await lease.granted_ttl()}, remaining {await lease.remaining_ttl() in (59, 60)}")
    await client.put(b"l/1", b"x", lease=lease)
    await client.put(b"l/2", b"y", lease=lease)
    print(f"lease: keys {sorted(key.decode() for key in await lease.keys())}")
    print(f"lease: renewed for {(await lease.refresh()).TTL}")
    watch = await client.watch_prefix(b"l/")
    await lease.revoke()
    await events_of(watch, 2)
    print(f"revoked twice: {await failure(lease.revoke())}")
    print(f"renewed after all: {(await client.refresh_lease(lease.id)).TTL}")
    short = await client.lease(2)
    watch = await client.watch(b"l/short")
    await client.put(b"l/short", b"x", lease=short)
    began = time.monotonic()
    await events_of(watch, 2)
    print(f"expired, not early: {time.monotonic() - began > 1.9}")


async def locks(first, second):
    one, two = first.lock(b"door", ttl=30), second.lock(b"door", ttl=30)
    print(f"first: {await one.acquire()}, held {await one.is_acquired()}")
    print(f"second, for a second: {await two.acquire(timeout=1)}, held {await two.is_acquired()}")
    waits = asyncio.create_task(two.acquire(timeout=60))
    print(f"first: refreshed for {(await one.refresh()).TTL}, released {await one.release()}")
    print(f"second, in time: {await waits}, held {await two.is_acquired()}, first {await one.is_acquired()}")
    # Its holder dies: the lock is free once the lease is.
    third = first.lock(b"door", ttl=60)
    waits = asyncio.create_task(third.acquire(timeout=60))
    await two.lease.revoke()
    print(f"third, after a death: {await waits}, held {await third.is_acquired()}")
    await third.release()


async def main():
    clients = [connect(endpoint) for endpoint in sys.argv[1:]]
    for client in clients:
        await client.connect()
    await puts_and_gets(clients[0])
    await transactions(clients[1 % len(clients)])
    await watches(clients[0], clients[-1])
    await leases(clients[-1])
    await locks(clients[0], clients[-1])
    for client in clients:
        await client.close()


asyncio.run(main())
