//! What operators ask: hashes, alarms, defragmentation, health.

use crate::etcdctl::side::{Step, step};

/// Hashes are compared as they are: the same requests, up to the same revision, hash to the same number. No key may have a lease,
/// whose id is part of what is hashed.
pub fn hashes() -> Vec<Step> {
    vec![
        step("--endpoints={all} endpoint hashkv"),
        step("--endpoints={all} endpoint hashkv -w json"),
        step("endpoint hashkv --cluster"),
        step("endpoint hashkv -w table"),
        step("endpoint hashkv -w fields"),
        step("endpoint hashkv --rev=20"),
        step("endpoint hashkv --rev=30 -w json"),
        step("endpoint hashkv --rev=3"),
        step("endpoint hashkv --rev=99999"),
        step("endpoint hashkv --rev=-1"),
        step("endpoint hashkv --rev=x"),
        step("compaction 25 --physical"),
        step("endpoint hashkv --rev=25 -w json"),
        step("--endpoints={all} endpoint hashkv -w json"),
        step("compaction 27"),
        step("--endpoints={2} compaction 29 --physical"),
        step("endpoint hashkv --rev=28"),
        step("--endpoints={3} endpoint hashkv --rev=33 -w json"),
        step("compaction"),
        step("compaction x"),
        step("compaction -1"),
        step("compaction 0"),
        step("compaction 50 51"),
        step("endpoint hashkv -w json"),
    ]
}

pub fn upkeep() -> Vec<Step> {
    vec![
        step("alarm list"),
        step("alarm list -w json"),
        step("alarm disarm"),
        step("alarm disarm -w json"),
        step("alarm list x"),
        step("defrag"),
        step("--endpoints={all} defrag"),
        step("defrag --cluster"),
        step("defrag x"),
        step("endpoint health --cluster -w json"),
        step("endpoint health --cluster -w table"),
        step("--endpoints={1},127.0.0.1:1 endpoint health --command-timeout=1s"),
        step("--endpoints={all} endpoint status -w table"),
        step("--endpoints={all} endpoint status -w fields"),
        step("check perf --load=xx"),
        step("check datascale --load=xx"),
    ]
}
