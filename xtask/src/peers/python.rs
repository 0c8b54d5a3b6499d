//! Client libraries from the Python Package Index.

use super::{aside, folder, into_place};
use crate::shell::{exists, quietly};
use std::process::Command;

/// A library, and what it needs, where `PYTHONPATH` finds it.
struct Library {
    /// The folder in `target/peers`.
    name: &'static str,
    /// A file that shows that it is there.
    shows: &'static str,
    /// All that is installed, of exactly these versions.
    packages: &'static [&'static str],
}

const LIBRARIES: [Library; 3] = [
    Library { name: "kazoo", shows: "kazoo/client.py", packages: &["kazoo==2.11.0"] },
    Library {
        name: "python-etcd3",
        shows: "etcd3/client.py",
        // Its generated code is older than protobuf 4, and it retries as tenacity did before 7.
        packages: &[
            "etcd3==0.12.0",
            "protobuf==3.20.3",
            "tenacity==6.3.1",
            "grpcio==1.85.1",
            "six==1.17.0",
            "typing_extensions==4.16.0",
        ],
    },
    Library {
        name: "python-aetcd",
        shows: "aetcd/client.py",
        packages: &["aetcd==1.0.0", "protobuf==7.36.2", "grpcio==1.85.1", "typing_extensions==4.16.0"],
    },
];

pub(super) fn fetch() -> Result<(), String> {
    let failed: Vec<String> = LIBRARIES.iter().filter_map(|library| library.fetch().err()).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

impl Library {
    fn fetch(&self) -> Result<(), String> {
        let Library { name, shows, packages } = self;
        if !folder(name).join(shows).is_file() {
            println!("peers: fetching {}", packages[0]);
            if !exists("python3") {
                return Err(format!("peers: {name} needs python3 (3.8 or newer), and there is none on this machine"));
            }
            let aside = aside(name)?;
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"]);
            quietly(pip.arg(&aside).args(*packages))
                .map_err(|why| format!("peers: {name} was not fetched; Debian's package of pip is python3-pip: {why}"))?;
            into_place(name)?;
        }
        println!("peers: {name} is here: {}", folder(name).display());
        Ok(())
    }
}
