//! Prints where a protoc lies that came as a crate.

fn main() {
    let path = protoc_bin_vendored::protoc_bin_path().expect("a protoc for this platform");
    println!("{}", path.display());
}
