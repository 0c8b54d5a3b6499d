//! Turns the .proto files into Rust: messages always, gRPC services only for those who ask for them.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;

const FILES: [&str; 5] = [
    "proto/raft_internal.proto",
    "proto/raftpb.proto",
    "proto/leasepb.proto",
    "proto/v3lockpb.proto",
    "proto/v3electionpb.proto",
];

/// What a method that is not built yet answers, beside the code Unimplemented.
const UNIMPLEMENTED: &str = "Quorate does not serve this method yet; COMPATIBILITY.md lists what it serves";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let services = env::var_os("CARGO_FEATURE_GRPC").is_some();
    let mut prost = prost_build::Config::new();
    // Keys and values are slices of the buffer that they arrived in, never copies.
    prost.bytes(["."]);
    tonic_prost_build::configure()
        .build_client(services)
        .build_server(services)
        // `connect` would drag sockets in here; the server and the client bring their own channels.
        .build_transport(false)
        // A method that is not built answers Unimplemented by itself, see `explain`.
        .generate_default_stubs(true)
        .compile_fds_with_config(protox::compile(FILES, ["proto"])?, prost)?;
    if services {
        for package in ["etcdserverpb", "v3lockpb", "v3electionpb"] {
            explain(&Path::new(&env::var("OUT_DIR")?).join(package).with_extension("rs"))?;
        }
    }
    Ok(())
}

/// Puts our sentence where the generator has its own, which names nobody and nothing.
fn explain(generated: &Path) -> Result<(), Box<dyn Error>> {
    let theirs = "\"Not yet implemented\"";
    let code = fs::read_to_string(generated)?;
    if !code.contains(theirs) {
        return Err(format!("{} has no default stubs that say {theirs}", generated.display()).into());
    }
    fs::write(generated, code.replace(theirs, &format!("{UNIMPLEMENTED:?}")))?;
    Ok(())
}
