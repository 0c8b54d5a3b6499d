//! Turns the .proto files into Rust: messages always, gRPC services only for those who ask for them.

use std::env;
use std::error::Error;

const FILES: [&str; 4] =
    ["proto/raft_internal.proto", "proto/raftpb.proto", "proto/v3lockpb.proto", "proto/v3electionpb.proto"];

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
        // A method that is not built answers Unimplemented by itself.
        .generate_default_stubs(true)
        .compile_fds_with_config(protox::compile(FILES, ["proto"])?, prost)?;
    Ok(())
}
