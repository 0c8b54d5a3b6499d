//! Debian packages, downloaded with Debian's tools and unpacked without being installed.

use super::{make_folder, sources};
use crate::shell::{exists, quietly, read, root};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An apt that knows one suite only and shares no state with the system's.
pub(super) struct Apt {
    suite: &'static str,
    folder: PathBuf,
}

impl Apt {
    pub(super) fn open(suite: &'static str) -> Result<Apt, String> {
        for program in ["apt-get", "dpkg"] {
            if !exists(program) {
                return Err(format!(
                    "peers: there is no {program} on this machine, so the original servers and clients cannot be fetched from Debian"
                ));
            }
        }
        let mirror = sources::debian_mirror()?;
        let folder = root().join("target/peers/.apt").join(suite);
        for sub in ["state/lists/partial", "cache/archives/partial", "etc"] {
            make_folder(&folder.join(sub))?;
        }
        let line = format!("deb [signed-by={}] {} {suite} main\n", mirror.keyring.display(), mirror.uri);
        let list = folder.join("etc/sources.list");
        fs::write(&list, line).map_err(|error| format!("cannot write {}: {error}", list.display()))?;
        let apt = Apt { suite, folder };
        println!("peers: reading the package list of Debian {suite}");
        quietly(apt.command("apt-get").args(["-qq", "update"]))?;
        Ok(apt)
    }

    /// Downloads `packages` and unpacks them, one over the other, into the folder `into`.
    ///
    /// The first must be of `version`: it is the one that tests know.
    pub(super) fn unpack(&self, version: &str, packages: &[&str], into: &Path) -> Result<(), String> {
        let version = self.offered(packages[0], version)?;
        let download = self.folder.join("download");
        let _ = fs::remove_dir_all(&download);
        make_folder(&download)?;
        let mut command = self.command("apt-get");
        command.args(["-qq", "download", &format!("{}={version}", packages[0])]).args(&packages[1..]);
        quietly(command.current_dir(&download))?;
        let entries = fs::read_dir(&download).map_err(|error| format!("cannot read {}: {error}", download.display()))?;
        let files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        if files.len() != packages.len() {
            return Err(format!(
                "peers: apt-get left {} files of {} packages: {}",
                files.len(),
                packages.len(),
                download.display()
            ));
        }
        for file in files {
            quietly(Command::new("dpkg").arg("-x").arg(file).arg(into))?;
        }
        fs::remove_dir_all(&download).map_err(|error| format!("cannot remove {}: {error}", download.display()))
    }

    fn command(&self, program: &str) -> Command {
        let at = |sub: &str| self.folder.join(sub).display().to_string();
        let options = [
            format!("Dir::State={}", at("state")),
            // What is installed here does not matter to a download.
            format!("Dir::State::status={}", at("state/status")),
            format!("Dir::Cache={}", at("cache")),
            format!("Dir::Etc::sourcelist={}", at("etc/sources.list")),
            "Dir::Etc::sourceparts=-".to_owned(),
            "Dir::Etc::preferences=-".to_owned(),
            format!("Dir::Etc::preferencesparts={}", at("etc")),
            // The folder need not be readable by apt's own user, which a checkout in a home folder never is.
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ];
        let _ = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("state/status"));
        let mut command = Command::new(program);
        for option in options {
            command.arg("-o").arg(option);
        }
        command
    }

    /// The suite's full version string for the version that is wanted.
    fn offered(&self, package: &str, version: &str) -> Result<String, String> {
        let table = read(self.command("apt-cache").args(["madison", package]))?;
        let versions: Vec<&str> = table.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim).collect();
        let exact = |offered: &&&str| {
            offered.strip_prefix(version).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '+', '~', '.']))
        };
        versions.iter().find(exact).map(|version| (*version).to_owned()).ok_or_else(|| {
            format!(
                "peers: Debian {} offers {package} in version {}, but the tests know {version}",
                self.suite,
                if versions.is_empty() { "none".to_owned() } else { versions.join(", ") },
            )
        })
    }
}
