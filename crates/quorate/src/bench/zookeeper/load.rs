//! Many clients, each with so many requests under way.

use crate::bench::measured::Counts;
use crate::cli::{ZooKeeperBench, ZooKeeperLoad};
use crate::zk::{Connection, Trouble};
use bytes::{Bytes, BytesMut};
use indicatif::ProgressBar;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};
use znodes::{Acl, CreateMode, Id, Op, Permissions, ReadOp};
use zookeeper::client::Call;
use zookeeper::opcode;

/// Long enough for a server that is kept busy.
const SESSION_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a client tells the progress bar.
const TOLD_EVERY: u64 = 500;

/// The nodes of this run lie below this one.
pub(super) fn root() -> String {
    format!("/quorate-bench-{}", std::process::id())
}

/// The clients, one after the other on the servers.
pub(super) async fn connect(servers: &[String], count: u32) -> Result<Vec<Connection>, String> {
    let mut clients = Vec::new();
    for index in 0..count as usize {
        let client = Connection::open(&servers[index % servers.len()], SESSION_TIMEOUT).await;
        clients.push(client.map_err(|trouble| told(&trouble))?);
    }
    Ok(clients)
}

/// Makes the node that each client reads or sets.
pub(super) async fn prepare(clients: &mut [Connection], value: &Bytes) -> Result<(), String> {
    let Some(first) = clients.first_mut() else { return Ok(()) };
    first.write(create(root(), &Bytes::new())).await.map_err(|trouble| told(&trouble))?;
    for (index, client) in clients.iter_mut().enumerate() {
        client.write(create(node(index), value)).await.map_err(|trouble| told(&trouble))?;
    }
    Ok(())
}

/// Runs the load with all clients at once.
pub(super) async fn run(
    clients: Vec<Connection>,
    options: &ZooKeeperBench,
    value: &Bytes,
    bar: &ProgressBar,
) -> Result<(Vec<Connection>, Counts), String> {
    let count = clients.len() as u64;
    let counts = Rc::new(RefCell::new(Counts::new()));
    let tasks = tokio::task::LocalSet::new();
    let mut running = Vec::new();
    for (index, client) in clients.into_iter().enumerate() {
        let share = options.total / count + u64::from((index as u64) < options.total % count);
        let requests = Requests { load: options.load, client: index, share, value: value.clone() };
        let (counts, bar, window) = (Rc::clone(&counts), bar.clone(), options.window as usize);
        running.push(tasks.spawn_local(drive(client, requests, window, counts, bar)));
    }
    let mut clients = Vec::new();
    tasks
        .run_until(async {
            for task in running {
                clients.push(task.await.expect("a client does not panic").map_err(|trouble| told(&trouble))?);
            }
            Ok::<(), String>(())
        })
        .await?;
    drop(tasks);
    let counts = Rc::into_inner(counts).expect("all clients have ended").into_inner();
    Ok((clients, counts))
}

/// Deletes what the run has made: children first.
pub(super) async fn clean(client: &mut Connection, window: usize) -> Result<(), Trouble> {
    let listed = client.read(ReadOp::GetChildren { path: root() }, false).await?;
    if let zookeeper::client::Reply::Answer(znodes::Answer::Children { children, .. }) = listed {
        for some in children.chunks(window.max(1)) {
            let deletes = some.iter().map(|name| Op::Delete { path: format!("{}/{name}", root()), version: -1 });
            client.write(Op::Multi(deletes.collect())).await?;
        }
    }
    client.write(Op::Delete { path: root(), version: -1 }).await?;
    Ok(())
}

/// What one client asks for.
struct Requests {
    load: ZooKeeperLoad,
    client: usize,
    share: u64,
    value: Bytes,
}

impl Requests {
    fn encode(&self, number: u64, out: &mut BytesMut) {
        let xid = i32::try_from(number % (1 << 30)).expect("it is below 2^30") + 1000;
        let path = || node(self.client);
        let set = || Call::write(xid, Op::SetData { path: path(), data: Some(self.value.clone()), version: -1 });
        let get = || Call::read(xid, ReadOp::GetData { path: path() }, false);
        let call = match self.load {
            ZooKeeperLoad::Get => get(),
            ZooKeeperLoad::Set => set(),
            ZooKeeperLoad::Create => Call::write(xid, create(format!("{}/c{}-{number}", root(), self.client), &self.value)),
            ZooKeeperLoad::Mixed if number % 10 < 3 => set(),
            ZooKeeperLoad::Mixed => get(),
        };
        call.encode(out);
    }
}

/// Keeps the window full until the client's share is done.
async fn drive(
    mut client: Connection,
    requests: Requests,
    window: usize,
    counts: Rc<RefCell<Counts>>,
    bar: ProgressBar,
) -> Result<Connection, Trouble> {
    let mut under_way: VecDeque<Instant> = VecDeque::with_capacity(window);
    let (mut sent, mut answered) = (0, 0);
    let mut out = BytesMut::new();
    while answered < requests.share {
        let now = Instant::now();
        while sent < requests.share && under_way.len() < window {
            requests.encode(sent, &mut out);
            under_way.push_back(now);
            sent += 1;
        }
        if !out.is_empty() {
            client.send(&out).await?;
            out.clear();
        }
        client.receive().await?;
        let now = Instant::now();
        let mut counts = counts.borrow_mut();
        while let Some(frame) = client.frame_at_hand()? {
            // Replies come in the order of their requests.
            let Some(since) = under_way.pop_front() else {
                return Err(Trouble::Connection("a reply to nothing".to_owned()));
            };
            counts.took(now - since);
            // xid, zxid, err
            if let Some(code) = frame.get(12..16).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes)
                && code != 0
            {
                counts.failed(&format!("error {code}"));
            }
            answered += 1;
            if answered % TOLD_EVERY == 0 {
                bar.inc(TOLD_EVERY);
            }
        }
    }
    Ok(client)
}

fn node(client: usize) -> String {
    format!("{}/n{client}", root())
}

fn create(path: String, value: &Bytes) -> Op {
    let anyone = Id { scheme: "world".to_owned(), id: "anyone".to_owned() };
    Op::Create {
        path,
        data: Some(value.clone()),
        acl: vec![Acl { permissions: Permissions::ALL, id: anyone }],
        mode: CreateMode::Persistent { sequential: false },
        op: opcode::CREATE,
    }
}

fn told(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Refused(code) => format!("a server answered with error {code}"),
        Trouble::Connection(why) => why.clone(),
    }
}
