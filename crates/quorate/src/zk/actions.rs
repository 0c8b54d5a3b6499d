//! What `quorate zk` does.

use super::connection::{Connection, Trouble};
use super::options::{Action, Create, Reach};
use super::show;
use bytes::Bytes;
use std::io::{Read, Write};
use znodes::{Acl, AddMode, Answer, CreateMode, ErrorCode, Id, Op, Permissions, ReadOp, Stat};
use zookeeper::client::{ClientRequest, Reply};
use zookeeper::opcode;

/// Why something was not done.
pub(super) enum Failure {
    /// In a sentence.
    Told(String),
    /// By the server or on the way.
    Trouble(Trouble, String),
}

impl Failure {
    pub(super) fn sentence(self) -> String {
        match self {
            Failure::Told(sentence) => sentence,
            Failure::Trouble(Trouble::Refused(code), path) => format!("{path}: {}", show::error(code)),
            Failure::Trouble(Trouble::Connection(why), path) => {
                format!("{path}: {why}; whether it was done is not known")
            }
        }
    }
}

type Done = Result<(), Failure>;

pub(super) async fn perform(connection: &mut Connection, reach: &Reach, action: &Action) -> Done {
    match action {
        Action::Ls { path, recursive: false } => {
            let names = children(connection, path).await?;
            print(&show::names(&names, reach.json))
        }
        Action::Ls { path, recursive: true } => {
            let paths = tree(connection, path).await?;
            print(&show::names(&paths, reach.json))
        }
        Action::Get { path } => {
            let (data, stat) = get(connection, path).await?;
            print(&show::data(path, data.as_ref(), &stat, reach.json))
        }
        Action::Create(options) => create(connection, reach, options).await,
        Action::Set { path, data, version } => {
            let op = Op::SetData { path: path.clone(), data: Some(given(data.as_deref())?), version: *version };
            let stat = stat_of(connection.write(op).await, path)?;
            print(&show::stat(path, &stat, reach.json))
        }
        Action::Rm { path, recursive: false, version } => remove(connection, path, *version).await,
        Action::Rm { path, recursive: true, .. } => {
            // Children come after their parents in the list.
            for path in tree(connection, path).await?.iter().rev() {
                remove(connection, path, -1).await?;
            }
            Ok(())
        }
        Action::Stat { path } => {
            let stat = stat_of(connection.read(ReadOp::Exists { path: path.clone() }, false).await, path)?;
            print(&show::stat(path, &stat, reach.json))
        }
        Action::Watch { .. } | Action::Status => unreachable!("they are done apart"),
    }
}

pub(super) async fn watch(connection: &mut Connection, reach: &Reach, path: &str, recursive: bool) -> Done {
    let mode = if recursive { AddMode::PersistentRecursive } else { AddMode::Persistent };
    let request = ClientRequest::AddWatch { path: path.to_owned(), mode };
    connection.request(opcode::ADD_WATCH, request).await.map_err(|trouble| at(path)(trouble))?;
    if !reach.json {
        eprintln!("watching {path}; Ctrl-C ends it");
    }
    loop {
        let (event, path) = connection.event().await.map_err(at(path))?;
        print(&show::event(event, &path, reach.json))?;
    }
}

async fn create(connection: &mut Connection, reach: &Reach, options: &Create) -> Done {
    let Create { path, data, sequential, container, ttl, parents } = options;
    if *parents {
        for (end, _) in path.match_indices('/').skip(1) {
            match connection.write(node(&path[..end], Bytes::new(), CreateMode::Persistent { sequential: false })).await {
                Ok(_) => {}
                Err(Trouble::Refused(code)) if code == ErrorCode::NodeExists.number() => {}
                Err(trouble) => return Err(Failure::Trouble(trouble, path[..end].to_owned())),
            }
        }
    }
    let mode = match (*container, *ttl) {
        (true, _) => CreateMode::Container,
        (false, Some(ttl)) => CreateMode::Ttl { ttl, sequential: *sequential },
        (false, None) => CreateMode::Persistent { sequential: *sequential },
    };
    let data = Bytes::from(data.clone().unwrap_or_default());
    match connection.write(node(path, data, mode)).await.map_err(at(path))? {
        Reply::Answer(Answer::Created { path, .. }) => print(&show::created(&path, reach.json)),
        _ => Err(strange(path)),
    }
}

fn node(path: &str, data: Bytes, mode: CreateMode) -> Op {
    let anyone = Id { scheme: "world".to_owned(), id: "anyone".to_owned() };
    let op = match mode {
        CreateMode::Container => opcode::CREATE_CONTAINER,
        CreateMode::Ttl { .. } => opcode::CREATE_TTL,
        CreateMode::Persistent { .. } | CreateMode::Ephemeral { .. } => opcode::CREATE,
    };
    Op::Create { path: path.to_owned(), data: Some(data), acl: vec![Acl { permissions: Permissions::ALL, id: anyone }], mode, op }
}

async fn remove(connection: &mut Connection, path: &str, version: i32) -> Done {
    connection.write(Op::Delete { path: path.to_owned(), version }).await.map_err(at(path))?;
    Ok(())
}

async fn get(connection: &mut Connection, path: &str) -> Result<(Option<Bytes>, Stat), Failure> {
    match connection.read(ReadOp::GetData { path: path.to_owned() }, false).await.map_err(at(path))? {
        Reply::Answer(Answer::Data { data, stat }) => Ok((data, stat)),
        _ => Err(strange(path)),
    }
}

async fn children(connection: &mut Connection, path: &str) -> Result<Vec<String>, Failure> {
    match connection.read(ReadOp::GetChildren { path: path.to_owned() }, false).await.map_err(at(path))? {
        Reply::Answer(Answer::Children { mut children, .. }) => {
            children.sort();
            Ok(children)
        }
        _ => Err(strange(path)),
    }
}

/// The node and all below it, each after its parent.
async fn tree(connection: &mut Connection, path: &str) -> Result<Vec<String>, Failure> {
    let mut paths = vec![path.to_owned()];
    let mut next = 0;
    while next < paths.len() {
        let parent = paths[next].clone();
        let prefix = if parent == "/" { "" } else { &parent };
        for name in children(connection, &parent).await? {
            paths.push(format!("{prefix}/{name}"));
        }
        next += 1;
    }
    Ok(paths)
}

fn stat_of(answer: Result<Reply, Trouble>, path: &str) -> Result<Stat, Failure> {
    match answer.map_err(at(path))? {
        Reply::Answer(Answer::Stat(stat)) => Ok(stat),
        _ => Err(strange(path)),
    }
}

fn at(path: &str) -> impl Fn(Trouble) -> Failure {
    move |trouble| Failure::Trouble(trouble, path.to_owned())
}

fn strange(path: &str) -> Failure {
    Failure::Told(format!("{path}: the server answered something else than was asked"))
}

fn given(data: Option<&str>) -> Result<Bytes, Failure> {
    if let Some(data) = data {
        return Ok(Bytes::copy_from_slice(data.as_bytes()));
    }
    let mut read = Vec::new();
    std::io::stdin().read_to_end(&mut read).map_err(|error| Failure::Told(format!("cannot read standard input: {error}")))?;
    Ok(Bytes::from(read))
}

/// False, in effect, if nobody reads any more.
fn print(text: &str) -> Done {
    let mut output = std::io::stdout().lock();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.map_err(|error| Failure::Told(format!("cannot print: {error}")))
}
