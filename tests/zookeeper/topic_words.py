"""Four-letter words: the shape of what they answer."""

import re

from wire import *  # noqa: F403 - the protocol's words

# What may differ: numbers, addresses, ids, times. What is compared: keys, order, words.
MASKS = (
    (r"Zookeeper version: .*", "Zookeeper version: V"),
    (r"0x[0-9a-f]+", "HEX"), (r"/?(127\.0\.0\.1|localhost|0:0:0:0:0:0:0:[01]|\[::1\]):\d+", "ADDRESS"), (r"-?\d+(\.\d+)?", "N"),
)  # fmt: skip


def masked(answer):
    for pattern, name in MASKS:
        answer = re.sub(pattern, name, answer)
    return answer


def run(t):
    t.section("words")
    a = t.connect("w")
    a.tell("an ephemeral", CREATE, create("/words", b"", OPEN, EPHEMERAL))
    a.tell("a watch", EXISTS, watched("/words", True))
    a.tell("a watch on children", CHILDREN, watched("/", True))
    for word in ("ruok", "isro", "wchs", "srst", "crst", "gtmk", "dirs", "nope", "RUOK"):
        t.say(f"{word}: {masked(words(t.addresses[0], word))!r}")
    for word in ("wchc", "wchp", "srvr"):
        t.say(f"{word}:\n{masked(words(t.addresses[0], word))}")
    for word in ("dump", "cons", "stat"):  # connections come and go: each kind of line once
        t.say(f"{word}: kinds of lines")
        for line in sorted(set(masked(words(t.addresses[0], word)).splitlines())):
            t.say(f"  {line}")
    keys = [line.split("\t")[0] for line in words(t.addresses[0], "mntr").splitlines()]
    core = {key for key in CORE if key in keys}
    t.say(f"mntr: {sorted(core)}")
    t.say(f"mntr tells a version first: {keys[0]}")
    t.say(f"conf: {[line.split('=')[0] for line in words(t.addresses[0], 'conf').splitlines()]}")
    envi = {line.split("=")[0] for line in words(t.addresses[0], "envi").splitlines()}
    t.say(f"envi: {sorted(envi & {'zookeeper.version', 'host.name', 'os.name', 'os.arch', 'os.version', 'user.name', 'user.dir'})}")
    a.tell("end", CLOSE)


CORE = """zk_version zk_server_state zk_ephemerals_count zk_num_alive_connections zk_avg_latency zk_outstanding_requests zk_znode_count
zk_global_sessions zk_non_mtls_remote_conn_count zk_last_client_response_size zk_packets_sent zk_packets_received
zk_max_client_response_size zk_connection_drop_probability zk_watch_count zk_auth_failed_count zk_min_latency zk_max_file_descriptor_count
zk_approximate_data_size zk_open_file_descriptor_count zk_local_sessions zk_uptime zk_max_latency zk_outstanding_tls_handshake
zk_min_client_response_size zk_non_mtls_local_conn_count zk_quorum_size zk_synced_followers zk_synced_observers zk_learners
zk_synced_non_voting_followers zk_pending_syncs zk_leader_uptime zk_last_proposal_size zk_max_proposal_size zk_min_proposal_size""".split()
