//! Every file in `tests/scripts` is a test of its own, named by its claim: Raft's, and in `zab/` ZooKeeper's.

use script::{Protocol, Raft, Runner, Zab};
use std::path::Path;

test_each_file::test_each_path! { in "./crates/script/tests/scripts/raft" as raft => run::<Raft> }
test_each_file::test_each_path! { in "./crates/script/tests/scripts/zab" as zab => run::<Zab> }

fn run<P: Protocol>(path: &Path) {
    if let Err(error) = goldenscript::run(&mut Runner::<P>::default(), path) {
        panic!("{}: {error}", path.display());
    }
}
