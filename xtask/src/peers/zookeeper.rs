//! Java ZooKeeper, two versions of it, and Curator: their jars and all that these need, on a classpath of their own.

use super::apt::Apt;
use super::{aside, folder, into_place};
use std::fs;
use std::path::Path;

/// A folder of jars.
struct Bundle {
    name: &'static str,
    version: &'static str,
    suite: &'static str,
    /// The package whose version counts, and what comes from the same source.
    packages: &'static [&'static str],
    jars: &'static [&'static str],
}

const BUNDLES: [Bundle; 3] = [
    Bundle { name: "zookeeper", version: "3.9.3", suite: "trixie", packages: &["libzookeeper-java"], jars: &[] },
    Bundle { name: "zookeeper", version: "3.8.0", suite: "bookworm", packages: &["libzookeeper-java"], jars: &[] },
    Bundle {
        name: "curator",
        version: "5.7.1",
        suite: "trixie",
        packages: &[
            "libcurator-recipes-java",
            "libcurator-framework-java",
            "libcurator-client-java",
            "libguava-java",
            "libzookeeper-java",
        ],
        jars: &["curator-recipes", "curator-framework", "curator-client", "guava"],
    },
];

/// What every one of them needs beside its own packages.
const PACKAGES: [&str; 12] = [
    "libcommons-cli-java",
    "libcommons-io-java",
    "libdropwizard-metrics-java",
    "libjackson2-annotations-java",
    "libjackson2-core-java",
    "libjackson2-databind-java",
    // The AdminServer's.
    "libjetty9-java",
    "libservlet-api-java",
    "libjctools-java",
    "libnetty-java",
    "libslf4j-java",
    "libsnappy-java",
];

/// Of slf4j's writers the simplest: to standard error, set by properties.
const JARS: [&str; 28] = [
    "zookeeper",
    "zookeeper-jute",
    "slf4j-api",
    "slf4j-simple",
    "netty-buffer",
    "netty-codec",
    "netty-common",
    "netty-handler",
    "netty-resolver",
    "netty-transport",
    "netty-transport-native-epoll",
    "netty-transport-native-unix-common",
    "jctools-core",
    "commons-cli",
    "commons-io",
    "metrics-core",
    "snappy-java",
    "jackson-annotations",
    "jackson-core",
    "jackson-databind",
    "jetty9-http",
    "jetty9-io",
    "jetty9-security",
    "jetty9-server",
    "jetty9-servlet",
    "jetty9-util",
    "jetty9-util-ajax",
    "servlet-api",
];

pub(super) fn fetch() -> Result<(), String> {
    for bundle in &BUNDLES {
        let name = format!("{}-{}", bundle.name, bundle.version);
        if !folder(&name).join("classpath").is_file() {
            println!("peers: fetching {} {} (packages of Debian {})", bundle.name, bundle.version, bundle.suite);
            let aside = aside(&name)?;
            let packages: Vec<&str> = bundle.packages.iter().chain(&PACKAGES).copied().collect();
            Apt::open(bundle.suite)?.unpack(bundle.version, &packages, &aside)?;
            write_classpath(&aside, bundle)?;
            into_place(&name)?;
        }
        println!("peers: {} {} is here: {}", bundle.name, bundle.version, folder(&name).display());
    }
    Ok(())
}

/// A jar a line, relative to the folder.
fn write_classpath(folder: &Path, bundle: &Bundle) -> Result<(), String> {
    let mut lines = String::new();
    for jar in bundle.jars.iter().chain(&JARS) {
        let path = format!("usr/share/java/{jar}.jar");
        if !folder.join(&path).is_file() {
            return Err(format!("peers: the packages of {} {} hold no {path}", bundle.name, bundle.version));
        }
        lines.push_str(&path);
        lines.push('\n');
    }
    fs::write(folder.join("classpath"), lines).map_err(|error| format!("cannot write {}/classpath: {error}", folder.display()))
}
