//! Every file in `tests/scripts` is a test of its own, named by its claim.

use script::{Raft, Runner};
use std::path::Path;

test_each_file::test_each_path! { in "./crates/script/tests/scripts" => run }

fn run(path: &Path) {
    if let Err(error) = goldenscript::run(&mut Runner::<Raft>::default(), path) {
        panic!("{}: {error}", path.display());
    }
}
