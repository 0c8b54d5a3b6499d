//! What the project does with itself: `cargo xtask <command>`.
//!
//! Plain Rust beside the product, so that a fresh clone needs nothing but cargo. `ci` and everything that it runs never writes to
//! tracked files; `fix` does.

mod peers;
mod shell;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  peers    fetch the original servers and clients that tests talk to into target/peers
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.first().map(String::as_str) {
        Some("peers") => peers::fetch(),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            Ok(())
        }
        Some(other) => Err(format!("there is no command {other:?}\n\n{USAGE}")),
        None => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {}", why.trim_end());
            ExitCode::FAILURE
        }
    }
}
