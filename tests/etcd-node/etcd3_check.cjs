// Drives a cluster with Node's etcd3 and prints what it answers, so that two clusters can be compared.
//
// Usage: node etcd3_check.cjs ENDPOINT...   (http://host:port; the first one leads); NODE_PATH finds the package.
"use strict";

const { Etcd3, EtcdLockFailedError } = require("etcd3");

const endpoints = process.argv.slice(2);
const say = (...words) => console.log(...words);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const show = (kv) =>
  `${kv.key} = ${kv.value} (created ${kv.create_revision}, modified ${kv.mod_revision}, version ${kv.version})`;

async function failure(call) {
  try {
    await call();
    return "no error";
  } catch (error) {
    return `${error.constructor.name} ${error.message}`;
  }
}

async function putsAndGets(client) {
  for (let i = 0; i < 5; i++) {
    const put = await client.put(`k${i}`).value(`v${i}`).exec();
    say(`put k${i}: revision ${put.header.revision}`);
  }
  const put = await client.put("k1").value("again").getPrevious();
  say(`put k1: previous ${put.value}`);
  say(`get k1: ${await client.get("k1").string()}, nothing: ${await client.get("nothing").string()}`);
  const all = await client.getAll().prefix("k").sort("Mod", "Descend").limit(3).exec();
  say(`get k*: count ${all.count}, more ${all.more}`);
  all.kvs.forEach((kv) => say(`  ${show(kv)}`));
  say(`get k1 at 3: ${await client.get("k1").revision(3).string()}`);
  say(`get from the future: ${await failure(() => client.get("k1").revision(999).string())}`);
  say(`put to an unknown lease: ${await failure(() => client.put("k1").value("x").lease(77).exec())}`);
  say(`delete: ${(await client.delete().key("k3").exec()).deleted}, ${(await client.delete().key("k3").exec()).deleted}`);
}

async function transactions(client) {
  for (let i = 0; i < 2; i++) {
    const done = await client
      .if("k1", "Value", "==", "again")
      .and("none", "Version", "==", 0)
      .then(client.put("k1").value("swapped"), client.get("k0"))
      .else(client.get("k1"), client.delete().key("k4"))
      .commit();
    say(`transaction: ${done.succeeded}, ${done.responses.map((response) => response.response).join(" ")}`);
  }
}

// So many events of a watcher, then its end.
async function eventsOf(watcher, count) {
  const events = [];
  await new Promise((resolve, reject) => {
    watcher.on("error", reject);
    watcher.on("data", (data) => {
      events.push(...data.events);
      if (events.length >= count) resolve();
    });
  });
  for (const event of events) {
    const before = event.prev_kv ? ` after ${event.prev_kv.value}` : "";
    say(`  ${event.type} ${event.kv.key} = ${event.kv.value} at ${event.kv.mod_revision}, version ${event.kv.version}${before}`);
  }
  await watcher.cancel();
}

async function watches(client, other) {
  const head = (await client.put("w/0").value("head").exec()).header.revision;
  say("from now:");
  // A member that has heard of nothing later than the reader has.
  await other.get("w/0");
  let watcher = await other.watch().prefix("w/").withPreviousKV().create();
  let events = eventsOf(watcher, 5);
  for (let i = 0; i < 4; i++) await client.put(`w/${i}`).value(`x${i}`).exec();
  await client.delete().key("w/2").exec();
  await events;
  say("from the past:");
  await eventsOf(await client.watch().prefix("w/").startRevision(head).create(), 6);
  say("one key from the past, deletions only:");
  await eventsOf(await client.watch().key("w/2").startRevision("1").only("delete").create(), 1);
  say("from the future:");
  watcher = await other.watch().key("w/f").startRevision(String(Number(head) + 7)).create();
  events = eventsOf(watcher, 1);
  await client.put("w/f").value("too early").exec();
  await client.put("w/f").value("in time").exec();
  await events;
  say("three on one stream:");
  const watchers = [];
  for (const key of ["w/a", "w/b", "w/c"]) watchers.push(await other.watch().key(key).create());
  const heard = watchers.map((watcher) => new Promise((resolve) => watcher.once("put", resolve)));
  await client.if("w/0", "Version", ">", 0).then(...["w/c", "w/a", "w/b"].map((key) => client.put(key).value("at once"))).commit();
  for (const kv of await Promise.all(heard)) say(`  ${show(kv)}`);
  await Promise.all(watchers.map((watcher) => watcher.cancel()));
}

async function leases(client) {
  const lease = client.lease(60, { autoKeepAlive: false });
  await lease.put("l/1").value("x").exec();
  await lease.put("l/2").value("y").exec();
  const id = await lease.grant();
  const live = await client.leaseClient.leaseTimeToLive({ ID: id, keys: true });
  say(`lease: granted ${live.grantedTTL}, keys ${live.keys.sort().join(" ")}`);
  await lease.keepaliveOnce();
  const watcher = await client.watch().prefix("l/").create();
  const events = eventsOf(watcher, 2);
  await lease.revoke();
  await events;
  say(`time to live: ${(await client.leaseClient.leaseTimeToLive({ ID: id })).TTL}`);
  say(`revoked twice: ${await failure(() => client.leaseClient.leaseRevoke({ ID: id }))}`);
  const short = client.lease(2, { autoKeepAlive: false });
  const gone = eventsOf(await client.watch().key("l/short").create(), 2);
  await short.put("l/short").value("x").exec();
  const began = Date.now();
  await gone;
  say(`expired, not early: ${Date.now() - began > 1900}`);
  // Kept alive by itself, a lease outlives its time.
  const kept = client.lease(2);
  await kept.put("l/kept").value("x").exec();
  await pause(4000);
  say(`kept alive: ${await client.get("l/kept").string()}`);
  await kept.revoke();
}

async function locks(first, second) {
  const one = await first.lock("door").ttl(30).acquire();
  say(`second at once: ${await failure(() => second.lock("door").ttl(30).acquire())}`);
  say(`that is a lock's: ${EtcdLockFailedError.name}`);
  await one.release();
  const two = await second.lock("door").ttl(30).acquire();
  say("second, in time: acquired");
  await two.release();
}

async function elections(first, second) {
  const [one, two] = [first.election("throne", 30), second.election("throne", 30)];
  const reign = one.campaign("one");
  await new Promise((resolve) => reign.once("elected", resolve));
  say(`leader: ${await two.leader()}`);
  const next = two.campaign("two");
  const crowned = new Promise((resolve) => next.once("elected", resolve));
  await reign.proclaim("one, still");
  say(`leader: ${await two.leader()}`);
  await reign.resign();
  await crowned;
  say(`leader: ${await one.leader()}`);
  await next.resign();
  say(`leader: ${await one.leader()}`);
}

async function main() {
  const clients = endpoints.map((endpoint) => new Etcd3({ hosts: endpoint }));
  const last = clients[clients.length - 1];
  await putsAndGets(clients[0]);
  await transactions(clients[1 % clients.length]);
  await watches(clients[0], last);
  await leases(last);
  await locks(clients[0], last);
  await elections(clients[0], last);
  clients.forEach((client) => client.close());
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
