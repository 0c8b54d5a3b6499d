//! Drives an ensemble with the zookeeper-client crate and prints what it answers, without what differs between two runs.

use std::time::Duration;
use zookeeper_client as zk;

static OPEN: &zk::CreateOptions<'static> = &zk::CreateMode::Persistent.with_acls(zk::Acls::anyone_all());
static SEQUENTIAL: &zk::CreateOptions<'static> = &zk::CreateMode::PersistentSequential.with_acls(zk::Acls::anyone_all());
static EPHEMERAL: &zk::CreateOptions<'static> = &zk::CreateMode::Ephemeral.with_acls(zk::Acls::anyone_all());
static CONTAINER: &zk::CreateOptions<'static> = &zk::CreateMode::Container.with_acls(zk::Acls::anyone_all());

fn main() {
    let hosts = std::env::args().nth(1).expect("the addresses of an ensemble");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let all = async { tokio::time::timeout(Duration::from_secs(60), drive(&hosts)).await.expect("an end within a minute") };
    if let Err(error) = runtime.block_on(all) {
        eprintln!("failed: {error:?}");
        std::process::exit(1);
    }
}

async fn drive(hosts: &str) -> Result<(), zk::Error> {
    let client = zk::Client::connector().with_session_timeout(Duration::from_secs(20)).connect(hosts).await?;
    println!("connected: timeout {:?}, {:?}", client.session_timeout(), client.state());
    nodes(&client).await?;
    watches(&client, hosts).await?;
    several(&client).await?;
    access(&client).await?;
    locks(&client, hosts).await?;
    sessions(hosts).await
}

fn show(stat: &zk::Stat) -> String {
    format!(
        "version {} cversion {} aversion {} length {} children {} ephemeral {}",
        stat.version,
        stat.cversion,
        stat.aversion,
        stat.data_length,
        stat.num_children,
        stat.ephemeral_owner != 0
    )
}

async fn nodes(client: &zk::Client) -> Result<(), zk::Error> {
    client.mkdir("/crate/deep/er", OPEN).await?;
    let (stat, _) = client.create("/crate/a", b"data", OPEN).await?;
    println!("created: {}", show(&stat));
    println!("again: {:?}", client.create("/crate/a", b"", OPEN).await.err());
    let (data, stat) = client.get_data("/crate/a").await?;
    println!("data: {data:?} {}", show(&stat));
    println!("set: {}", show(&client.set_data("/crate/a", b"more", Some(0)).await?));
    println!("set, wrong: {:?}", client.set_data("/crate/a", b"", Some(9)).await.err());
    for _ in 0..3 {
        let (_, sequence) = client.create("/crate/deep/s-", b"", SEQUENTIAL).await?;
        println!("sequence: {sequence}");
    }
    client.create("/crate/box", b"", CONTAINER).await?;
    let lasting = zk::CreateMode::Persistent.with_acls(zk::Acls::anyone_all()).with_ttl(Duration::from_secs(60));
    println!("ttl: {:?}", client.create("/crate/ttl", b"", &lasting).await.map(|(stat, _)| show(&stat)));
    client.create("/crate/mine", b"", EPHEMERAL).await?;
    println!("ephemerals: {:?}", client.list_ephemerals("/crate").await?);
    println!("below an ephemeral: {:?}", client.create("/crate/mine/x", b"", OPEN).await.err());
    let mut children = client.list_children("/crate").await?;
    children.sort();
    println!("children: {children:?}, {} below", client.count_descendants_number("/crate").await?);
    println!("not empty: {:?}", client.delete("/crate", None).await.err());
    println!("missing: {:?} {:?}", client.check_stat("/none").await?, client.get_data("/none").await.err());
    client.sync("/").await
}

async fn watches(client: &zk::Client, hosts: &str) -> Result<(), zk::Error> {
    let other = zk::Client::connect(hosts).await?;
    other.sync("/").await?;
    let (_, exists) = other.check_and_watch_stat("/crate/watched").await?;
    let (_, _, children) = other.get_and_watch_children("/crate").await?;
    let mut tree = other.watch("/crate", zk::AddWatchMode::PersistentRecursive).await?;
    client.create("/crate/watched", b"", OPEN).await?;
    client.set_data("/crate/watched", b"1", None).await?;
    client.delete("/crate/watched", None).await?;
    for event in [exists.changed().await, children.changed().await] {
        println!("heard once: {:?} {}", event.event_type, event.path);
    }
    for _ in 0..3 {
        let event = tree.changed().await;
        println!("heard: {:?} {}", event.event_type, event.path);
    }
    drop(tree);
    Ok(())
}

async fn several(client: &zk::Client) -> Result<(), zk::Error> {
    let mut writer = client.new_multi_writer();
    writer.add_create("/crate/m", b"m", OPEN)?;
    writer.add_set_data("/crate/m", b"n", Some(0))?;
    writer.add_check_version("/crate/m", 1)?;
    writer.add_delete("/crate/m", Some(1))?;
    println!("multi: {} results", writer.commit().await?.len());
    let mut writer = client.new_multi_writer();
    writer.add_create("/crate/m", b"m", OPEN)?;
    writer.add_delete("/crate/none", None)?;
    println!("multi that fails: {:?}", writer.commit().await.err());
    let mut reader = client.new_multi_reader();
    reader.add_get_data("/crate/a")?;
    reader.add_get_children("/crate/deep")?;
    reader.add_get_data("/none")?;
    for result in reader.commit().await? {
        match result {
            zk::MultiReadResult::Data { data, stat } => println!("read: {data:?} {}", show(&stat)),
            zk::MultiReadResult::Children { children } => println!("read: {} children", children.len()),
            zk::MultiReadResult::Error { err } => println!("read: {err:?}"),
            _ => println!("read: what this program does not know"),
        }
    }
    Ok(())
}

async fn access(client: &zk::Client) -> Result<(), zk::Error> {
    client.auth("digest", b"user:secret").await?;
    println!("who: {:?}", client.list_auth_users().await?.iter().any(|user| user.user() == "user"));
    let mine = zk::CreateMode::Persistent.with_acls(zk::Acls::creator_all());
    client.create("/crate/secret", b"s", &mine).await?;
    let (acl, stat) = client.get_acl("/crate/secret").await?;
    println!("acl: {acl:?} {}", show(&stat));
    println!("set acl: {}", show(&client.set_acl("/crate/secret", &zk::Acls::anyone_read(), Some(0)).await?));
    println!("now: {:?}", client.set_data("/crate/secret", b"", None).await.err());
    println!("config: {}", String::from_utf8_lossy(&client.get_config().await?.0).lines().count());
    Ok(())
}

async fn locks(client: &zk::Client, hosts: &str) -> Result<(), zk::Error> {
    let prefix = || zk::LockPrefix::new_curator("/crate/locks", "latch-").expect("a good path");
    let options = || {
        let ancestors = zk::CreateMode::Persistent.with_acls(zk::Acls::anyone_all());
        zk::LockOptions::new(zk::Acls::anyone_all()).with_ancestor_options(ancestors).expect("good options")
    };
    let held = client.lock(prefix(), b"first", options()).await?;
    held.create("/crate/guarded", b"1", OPEN).await?;
    let other = zk::Client::connect(hosts).await?;
    let waiting = other.lock(prefix(), b"second", options());
    let mut waiting = std::pin::pin!(waiting);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut waiting).await.is_ok();
    println!("locked twice: {early}");
    drop(held);
    let held = waiting.await?;
    println!("then locked: {}", show(&held.set_data("/crate/guarded", b"2", Some(0)).await?));
    Ok(())
}

async fn sessions(hosts: &str) -> Result<(), zk::Error> {
    let client = zk::Client::connector().with_detached().connect(hosts).await?;
    client.create("/crate/moving", b"", EPHEMERAL).await?;
    let session = client.into_session();
    let last = hosts.rsplit(',').next().expect("an address");
    let again = zk::Client::connector().with_session(session).connect(last).await?;
    again.sync("/").await?;
    println!("moved: {:?}", again.check_stat("/crate/moving").await?.map(|stat| show(&stat)));
    Ok(())
}
