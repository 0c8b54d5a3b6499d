//! A Java that runs and compiles: this machine's if it is new enough, else Debian's, unpacked. And the program around Curator.

use super::apt::Apt;
use super::{aside, folder, into_place};
use crate::shell::{exists, quietly, read, root};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What ZooKeeper 3.9.3's packages were built for.
const VERSION: u32 = 17;

/// Makes `target/peers/java` a Java home.
pub(super) fn fetch() -> Result<(), String> {
    let home = folder("java");
    if home.join("bin/javac").is_file() {
        println!("peers: a Java is here: {}", home.display());
        return Ok(());
    }
    let _ = fs::remove_file(&home);
    if let Some(installed) = installed() {
        symlink(&installed, &home).map_err(|error| format!("cannot link {}: {error}", home.display()))?;
    } else {
        println!("peers: fetching a Java {VERSION} (packages of Debian bookworm)");
        unpack().map_err(|why| {
            format!("{why}\npeers: a JDK {VERSION} or newer serves, too; Debian's package is default-jdk-headless")
        })?;
    }
    println!("peers: a Java is here: {}", home.display());
    Ok(())
}

/// The home of the Java on the path, if it can do all that is needed.
fn installed() -> Option<PathBuf> {
    if !(exists("java") && exists("javac")) {
        return None;
    }
    let said = Command::new("java").args(["-XshowSettings:properties", "-version"]).output().ok()?;
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    let property =
        |name: &str| said.lines().find_map(|line| line.trim().strip_prefix(name)?.trim().strip_prefix("= ").map(str::to_owned));
    let version: u32 = property("java.specification.version")?.parse().ok()?;
    let home = PathBuf::from(property("java.home")?);
    (version >= VERSION && home.join("bin/javac").is_file()).then_some(home)
}

fn unpack() -> Result<(), String> {
    let jdk = format!("java-{VERSION}");
    let aside = aside(&jdk)?;
    let packages = [format!("openjdk-{VERSION}-jre-headless"), format!("openjdk-{VERSION}-jdk-headless")];
    Apt::open("bookworm")?.unpack(&VERSION.to_string(), &[&packages[0], &packages[1]], &aside)?;
    let homes = aside.join("usr/lib/jvm");
    let name = fs::read_dir(&homes)
        .map_err(|error| format!("cannot read {}: {error}", homes.display()))?
        .flatten()
        .map(|entry| entry.file_name())
        .find(|name| homes.join(name).join("bin/java").is_file())
        .ok_or_else(|| format!("peers: {} holds no java", homes.display()))?;
    into_place(&jdk)?;
    let home = folder(&jdk).join("usr/lib/jvm").join(name);
    keep_within(&home, &folder(&jdk))?;
    symlink(&home, folder("java")).map_err(|error| format!("cannot link {}: {error}", folder("java").display()))?;
    quietly(Command::new(folder("java").join("bin/java")).arg("-version"))
}

/// Debian keeps a JDK's settings in /etc and links to them: the links are made to end in the unpacked folder.
fn keep_within(folder: &Path, root: &Path) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        match fs::read_link(&path) {
            Ok(target) if target.is_absolute() => {
                let within = root.join(target.strip_prefix("/").expect("an absolute path"));
                fs::remove_file(&path)
                    .and_then(|()| symlink(within, &path))
                    .map_err(|error| format!("cannot link {}: {error}", path.display()))?;
            }
            Err(_) if path.is_dir() => keep_within(&path, root)?,
            _ => {}
        }
    }
    Ok(())
}

/// Compiles the program around Curator into `target/peers/curator-check` if it is not there, or older than its source.
pub(super) fn build() -> Result<(), String> {
    let source = root().join("tests/curator/CuratorCheck.java");
    let (curator, compiled) = (folder("curator-5.7.1"), folder("curator-check"));
    if !source.is_file() {
        return Ok(());
    }
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    if changed(&compiled.join("CuratorCheck.class")) <= changed(&source) {
        println!("peers: compiling a program around Curator");
        let classpath = fs::read_to_string(curator.join("classpath"))
            .map_err(|error| format!("cannot read {}/classpath: {error}", curator.display()))?;
        let jars: Vec<String> = classpath.lines().map(|jar| curator.join(jar).display().to_string()).collect();
        let aside = aside("curator-check")?;
        let mut javac = Command::new(folder("java").join("bin/javac"));
        read(javac.args(["-cp", &jars.join(":"), "-d"]).arg(&aside).arg(&source))?;
        into_place("curator-check")?;
    }
    println!("peers: Curator's program is here: {}", compiled.display());
    Ok(())
}
