//! Whole files, and what becomes of them.

use super::config::config;
use super::fault::Fault;
use super::given::Given;
use consensus::NodeId;
use server::zookeeper::Config;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// A folder with a zoo.cfg, and a data folder of this server.
struct Folder(TempDir);

impl Folder {
    fn new(id: Option<&str>) -> Folder {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("data")).expect("a data folder");
        if let Some(id) = id {
            fs::write(folder.path().join("data/myid"), id).expect("a file myid");
        }
        Folder(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What the file `text` amounts to, with dataDir and no admin server.
    fn read(&self, text: &str) -> Result<(Config, Vec<String>), String> {
        let data = self.path("data");
        fs::write(self.path("zoo.cfg"), format!("{text}\ndataDir={}\nadmin.enableServer=false\n", data.display()))
            .expect("a file");
        self.read_file().map_err(|fault| fault.to_string().replace(&format!("{}/", self.0.path().display()), ""))
    }

    fn read_file(&self) -> Result<(Config, Vec<String>), Fault> {
        let mut given = Given::read(&self.path("zoo.cfg"))?;
        let mut warnings = std::mem::take(&mut given.warnings);
        Ok((config(&given, &mut warnings)?, warnings))
    }
}

const THREE: &str = "tickTime=2000
initLimit=10
syncLimit=5
clientPort=2181
server.1=127.0.0.1:2888:3888
server.2=127.0.0.2:2888:3888
server.3=127.0.0.3:2888:3888";

#[test]
fn an_ensemble() {
    let (config, warnings) = Folder::new(Some("2\n")).read(THREE).unwrap();
    assert_eq!((config.id, config.tick, config.init_limit, config.sync_limit), (2, Duration::from_secs(2), 10, 5));
    assert_eq!(config.ensemble.configuration().voters.len(), 3);
    let client = config.client_address.unwrap();
    assert!(client.port() == 2181 && client.ip().is_unspecified(), "{client}");
    assert_eq!((config.min_session_timeout.as_secs(), config.max_session_timeout.as_secs()), (4, 40));
    assert_eq!((config.admin_address, warnings), (None, Vec::new()));
}

#[test]
fn a_server_that_stands_alone() {
    let (config, warnings) = Folder::new(None).read("clientPort=0\nclientPortAddress=127.0.0.1").unwrap();
    assert!(config.is_standalone() && warnings.is_empty(), "{warnings:?}");
    assert_eq!(config.client_address, Some("127.0.0.1:0".parse().unwrap()));
    // One server that is named stands alone, too, at the address that it names.
    let (config, warnings) = Folder::new(Some("7")).read("server.7=localhost:2888:3888;127.0.0.1:2182").unwrap();
    assert!(config.is_standalone() && warnings.len() == 1, "{warnings:?}");
    assert_eq!(config.client_address, Some("127.0.0.1:2182".parse().unwrap()));
    // Unless it is told not to.
    let text = "server.7=localhost:2888:3888;2182\nstandaloneEnabled=false\ninitLimit=1\nsyncLimit=1";
    let (config, _) = Folder::new(Some("7")).read(text).unwrap();
    assert_eq!((config.id, config.ensemble.servers.len()), (7, 1));
}

#[test]
fn arguments_instead_of_a_file() {
    let folder = Folder::new(None);
    let data = folder.path("data").display().to_string();
    let keys = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let super::Asked::Keys(keys) = super::arguments::read(&words).unwrap() else { panic!("keys") };
        Given::of(keys).and_then(|given| config(&given, &mut Vec::new()))
    };
    let config = keys(&["2181", &data, "500", "7"]).unwrap();
    assert_eq!((config.tick, config.max_client_connections, config.file), (Duration::from_millis(500), 7, None));
    assert_eq!(config.admin_address, Some("127.0.0.1:8080".parse().unwrap()));
    let fault = keys(&["http", &data]).unwrap_err().to_string();
    assert_eq!(fault, "argument 1: clientPort=http should be a whole number from 0 to 65535");
}

/// The sample configuration that people copy has `server.2` twice.
#[test]
fn duplicate_server_line_is_refused() {
    let text = THREE.replace("server.3", "server.2");
    let fault = Folder::new(Some("1")).read(&text).unwrap_err();
    assert_eq!(fault, "zoo.cfg, line 7: server.2 is already on line 6, and should be there once");
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let id = Some("1");
    for (id, text, said) in [
        (id, "tickTime=soon", "zoo.cfg, line 1: tickTime=soon should be a whole number from 1 to 2147483647"),
        (id, "# a comment\ntikTime=1", "zoo.cfg, line 2: tikTime is no key; is it meant to be tickTime?"),
        (
            id,
            "zookeeper.snapCount=1",
            "zoo.cfg, line 1: zookeeper.snapCount is no key, and Java ignores it: in the file it is called snapCount",
        ),
        (id, "a=\\u00zz", "zoo.cfg, line 1: \\u should be followed by four hexadecimal digits"),
        (id, "reconfigEnabled=yes", "zoo.cfg, line 1: reconfigEnabled=yes should be true or false"),
        (id, "electionAlg=1", "zoo.cfg, line 1: electionAlg=1 should be a whole number from 3 to 3"),
        (id, "server.1=a:2888", "zoo.cfg, line 1: server.1: a:2888: should be host:port:port"),
        (id, "clientPortAddress=127.0.0.1", "zoo.cfg, line 1: clientPortAddress=127.0.0.1 should come with clientPort"),
        (
            id,
            "minSessionTimeout=9000\nmaxSessionTimeout=10",
            "zoo.cfg, line 1: minSessionTimeout=9000 makes sessions last from 9000 to 10 ms",
        ),
        (id, "server.1=a:1:2:observer", "all servers are observers, and somebody should be a participant"),
        (id, "standaloneEnabled=false", "standaloneEnabled=false, so there should be a line server.N"),
        (id, "server.1=a:1:2|b:1:2", "server.1=a:1:2|b:1:2:participant has several addresses, for which multiAddress.enabled"),
        (id, "server.1=a:1:2\nserver.2=b:1:2\ninitLimit=1", "syncLimit is not set"),
        (Some("9"), THREE, "data/myid says 9, and should say one of 1, 2, 3: there is no server.9"),
        (Some("one"), THREE, "data/myid says \"one\", and should be a number"),
        (None, THREE, "the file data/myid is missing: it should hold which of the servers 1, 2, 3 this is"),
    ] {
        let fault = Folder::new(id).read(text).unwrap_err();
        assert!(fault.starts_with(said), "{text}: {fault}");
    }
}

#[test]
fn what_would_endanger_data_or_access_stops_the_start() {
    for line in [
        "secureClientPort=2281",
        "sslQuorum=true",
        "quorum.auth.enableSasl=true",
        "authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
        "reconfigEnabled=true",
        "DigestAuthenticationProvider.digestAlg=SHA-256",
    ] {
        let fault = Folder::new(None).read(&format!("clientPort=0\n{line}")).unwrap_err();
        assert!(fault.starts_with(&format!("zoo.cfg, line 2: {line} is not built yet")), "{fault}");
    }
}

#[test]
fn what_does_no_harm_is_a_warning() {
    let text = "clientPort=0\nforceSync=no\ncommitLogCount=500\nlocalSessionsEnabled=TRUE\nssl.keyStore.location=/k\ntickTime=1\ntickTime=2";
    let (config, warnings) = Folder::new(None).read(text).unwrap();
    assert_eq!(config.tick, Duration::from_millis(2));
    let begins: Vec<&str> = warnings.iter().map(|warning| warning.split(':').next().unwrap_or_default()).collect();
    assert_eq!(
        begins,
        [
            "forceSync=no has no effect",
            "localSessionsEnabled=TRUE has no effect",
            "ssl.keyStore.location=/k has no effect",
            "tickTime is there twice, on lines 6 and 7",
        ]
    );
}

#[test]
fn keys_that_are_system_properties_in_java_count() {
    let text = "clientPort=0\nsnapCount=1\nsnapSizeLimitInKb=-1\npreAllocSize=64\nleaderServes=no\nskipACL=yes\nextendedTypesEnabled=true
4lw.commands.whitelist=stat, ruok, frob\nDigestAuthenticationProvider.superDigest=super:xyz=\nautopurge.purgeInterval=2
autopurge.snapRetainCount=1\nmetricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider
metricsProvider.httpHost=127.0.0.1\nmetricsProvider.httpPort=7001\nmaxCnxns=9\nglobalOutstandingLimit=5";
    let (config, warnings) = Folder::new(None).read(text).unwrap();
    assert_eq!((config.snap_count, config.snap_bytes, config.prealloc_bytes), (2, u64::MAX, 64 << 10));
    assert!(!config.leader_serves && config.skip_acl && config.extended_types);
    assert_eq!(
        (config.words, config.super_digest.as_deref()),
        (vec!["stat".into(), "ruok".into(), "frob".into()], Some("super:xyz="))
    );
    assert_eq!((config.purge_interval, config.snapshots_kept), (Some(Duration::from_secs(7200)), 3));
    assert_eq!(config.metrics_address, Some("127.0.0.1:7001".parse().unwrap()));
    assert_eq!((config.max_connections, config.outstanding_max, warnings.len()), (9, 5, 3));
}

#[test]
fn members_in_a_file_of_their_own() {
    let folder = Folder::new(Some("1"));
    let dynamic = folder.path("zoo.cfg.dynamic.1000000ff");
    let members = "server.1=127.0.0.1:1:2;127.0.0.1:5\nserver.2=b:1:2:observer\nserver.3=c:1:2\n";
    fs::write(&dynamic, members).expect("a file");
    let text = format!("initLimit=1\nsyncLimit=1\ndynamicConfigFile={}", dynamic.display());
    let (config, _) = folder.read(&text).unwrap();
    assert_eq!((config.ensemble.version, config.ensemble.servers.len()), (0x1_0000_00ff, 3));
    assert!(config.ensemble.servers[&NodeId(2)].observer);
    assert_eq!(config.client_address, Some("127.0.0.1:5".parse().unwrap()));
    // A port that the other file does not agree with, and members in both files.
    assert!(folder.read(&format!("{text}\nclientPort=6")).unwrap_err().contains("clientPort=6 should be 127.0.0.1:5"));
    let fault = folder.read(&format!("server.4=d:1:2\n{text}")).unwrap_err();
    assert!(fault.starts_with("zoo.cfg, line 1: server.4 should be in zoo.cfg.dynamic.1000000ff"), "{fault}");
    fs::write(&dynamic, format!("{members}tickTime=1\n")).expect("a file");
    let fault = folder.read(&text).unwrap_err();
    assert!(fault.starts_with("zoo.cfg.dynamic.1000000ff, line 4: tickTime: should be server.N"), "{fault}");
    // A change that was begun is not for us to end.
    fs::write(&dynamic, members).expect("a file");
    fs::write(folder.path("zoo.cfg.dynamic.next"), members).expect("a file");
    assert!(folder.read(&text).unwrap_err().contains("were being changed"));
}

#[test]
fn a_folder_that_is_none_has_javas_exit_code() {
    let folder = Folder::new(None);
    fs::write(folder.path("zoo.cfg"), format!("clientPort=0\ndataDir={}\n", folder.path("zoo.cfg").display())).expect("a file");
    let fault = folder.read_file().unwrap_err();
    assert_eq!(fault.exit_code(), 3, "{fault}");
    let text = format!("clientPort=0\ndatadir.autocreate=false\ndataDir={}\n", folder.path("none").display());
    fs::write(folder.path("zoo.cfg"), text).expect("a file");
    assert_eq!(folder.read_file().unwrap_err().exit_code(), 3);
    fs::remove_file(folder.path("zoo.cfg")).expect("the file is there");
    let fault = folder.read_file().unwrap_err();
    assert_eq!(fault.exit_code(), 2);
    assert!(fault.to_string().starts_with("cannot use the file"), "{fault}");
}
