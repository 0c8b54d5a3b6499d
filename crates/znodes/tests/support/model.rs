//! The tree as simply as it can be said: a map, and rules that know nothing of prepared transactions, slots or keys.

use std::collections::{BTreeMap, BTreeSet};
use znodes::{Acl, Answer, CreateMode, ErrorCode, Op, OpAnswer, Response, Stat};

#[derive(Clone, Default)]
pub(crate) struct Model {
    nodes: BTreeMap<String, Node>,
    sessions: BTreeSet<i64>,
}

#[derive(Clone, Default)]
struct Node {
    data: Vec<u8>,
    /// What everybody may do: the model knows no other lists.
    allowed: i32,
    stat: Stat,
    /// How many children were created.
    creations: i32,
    /// The owner's field as it counts in the digest.
    owner: i64,
}

const READ: i32 = 1;
const WRITE: i32 = 2;
const CREATE: i32 = 4;
const DELETE: i32 = 8;
const ADMIN: i32 = 16;

impl Model {
    pub(crate) fn new() -> Model {
        let mut model = Model::default();
        for (path, allowed, aversion) in
            [("/", 31, 0), ("/zookeeper", 31, 0), ("/zookeeper/quota", 31, 0), ("/zookeeper/config", 1, -1)]
        {
            let stat = Stat { aversion, ..Stat::default() };
            model.nodes.insert(path.into(), Node { allowed, stat, ..Node::default() });
        }
        model
    }

    pub(crate) fn ask(&mut self, zxid: i64, time: i64, session: i64, op: &Op) -> Response {
        match op {
            Op::Multi(ops) => {
                let before = self.clone();
                let mut answers = Vec::new();
                for (at, op) in ops.iter().enumerate() {
                    match self.ask(zxid, time, session, op) {
                        Ok(answer) => {
                            let kind = match op {
                                Op::Create { op: 1, .. } => 1,
                                Op::Create { .. } => 15,
                                Op::Delete { .. } => 2,
                                Op::SetData { .. } => 5,
                                _ => 13,
                            };
                            answers.push(OpAnswer::Done { kind, answer });
                        }
                        Err(error) => {
                            *self = before;
                            let code = |other| {
                                if other < at {
                                    0
                                } else if other == at {
                                    error.number()
                                } else {
                                    -2
                                }
                            };
                            return Ok(Answer::Multi((0..ops.len()).map(|at| OpAnswer::Failed { code: code(at) }).collect()));
                        }
                    }
                }
                Ok(Answer::Multi(answers))
            }
            Op::CreateSession { timeout } => {
                self.sessions.insert(session);
                Ok(Answer::SessionCreated { timeout: *timeout })
            }
            Op::CloseSession => {
                self.sessions.remove(&session);
                let owned = self.nodes.iter().filter(|(_, node)| node.stat.ephemeral_owner == session);
                for path in owned.map(|(path, _)| path.clone()).collect::<Vec<_>>() {
                    self.nodes.remove(&path);
                    self.parent(&path).stat.pzxid = zxid;
                }
                Ok(Answer::SessionClosed)
            }
            _ if !self.sessions.contains(&session) => Err(ErrorCode::SessionExpired),
            Op::Create { path, data, acl, mode, .. } => self.create(zxid, time, session, path, data.as_deref(), acl, *mode),
            Op::Delete { path, version } => {
                let parent = self.nodes.get(parent(path)).ok_or(ErrorCode::NoNode)?;
                permit(parent, DELETE)?;
                let node = self.nodes.get(path).ok_or(ErrorCode::NoNode)?;
                expect(node.stat.version, *version)?;
                if self.children(path) > 0 {
                    return Err(ErrorCode::NotEmpty);
                }
                self.nodes.remove(path);
                self.parent(path).stat.pzxid = zxid;
                Ok(Answer::Deleted)
            }
            Op::SetData { path, data, version } => {
                let node = self.nodes.get_mut(path).ok_or(ErrorCode::NoNode)?;
                permit(node, WRITE)?;
                expect(node.stat.version, *version)?;
                node.data = data.as_deref().unwrap_or(&[]).to_vec();
                (node.stat.version, node.stat.mzxid, node.stat.mtime) = (node.stat.version + 1, zxid, time);
                Ok(Answer::Stat(self.stat(path).unwrap()))
            }
            Op::SetAcl { path, acl, version } => {
                let node = self.nodes.get_mut(path).ok_or(ErrorCode::NoNode)?;
                permit(node, ADMIN)?;
                expect(node.stat.aversion, *version)?;
                node.allowed = acl[0].permissions.0;
                node.stat.aversion += 1;
                Ok(Answer::Stat(self.stat(path).unwrap()))
            }
            Op::Check { path, version } => {
                let node = self.nodes.get(path).ok_or(ErrorCode::NoNode)?;
                permit(node, READ)?;
                expect(node.stat.version, *version)?;
                Ok(Answer::Deleted)
            }
            other => panic!("the model knows no {other:?}"),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "it is a request, taken apart")]
    fn create(
        &mut self,
        zxid: i64,
        time: i64,
        session: i64,
        path: &str,
        data: Option<&[u8]>,
        acl: &[Acl],
        mode: CreateMode,
    ) -> Response {
        let above = self.nodes.get(parent(path)).ok_or(ErrorCode::NoNode)?.clone();
        permit(&above, CREATE)?;
        let (sequential, owner) = match mode {
            CreateMode::Persistent { sequential } => (sequential, 0),
            CreateMode::Ephemeral { sequential } => (sequential, session),
            CreateMode::Container => (false, i64::MIN),
            CreateMode::Ttl { .. } => panic!("the model knows no time"),
        };
        let path = if sequential { format!("{path}{:010}", above.creations) } else { path.to_string() };
        if self.nodes.contains_key(&path) {
            return Err(ErrorCode::NodeExists);
        }
        if above.stat.ephemeral_owner != 0 {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        let parent = self.parent(&path);
        parent.creations += 1;
        parent.stat.pzxid = zxid;
        let ephemeral_owner = if owner == i64::MIN { 0 } else { owner };
        let stat = Stat { czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: time, mtime: time, ephemeral_owner, ..Stat::default() };
        let data = data.unwrap_or(&[]).to_vec();
        self.nodes.insert(path.clone(), Node { data, allowed: acl[0].permissions.0, stat, creations: 0, owner });
        Ok(Answer::Created { stat: self.stat(&path).unwrap(), path })
    }

    pub(crate) fn stat(&self, path: &str) -> Option<Stat> {
        let node = self.nodes.get(path)?;
        let num_children = self.children(path);
        let cversion = node.creations * 2 - num_children;
        // What every tree begins with was not counted when it was put there.
        Some(Stat { num_children, cversion, data_length: node.data.len() as i32, ..node.stat })
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.nodes.keys().cloned().collect()
    }

    pub(crate) fn sessions(&self) -> Vec<i64> {
        self.sessions.iter().copied().collect()
    }

    /// The digest, from scratch.
    pub(crate) fn digest(&self) -> u64 {
        let counted = self.nodes.iter().filter(|(path, _)| !path.starts_with("/zookeeper/"));
        counted.fold(0, |sum, (path, node)| {
            let mut bytes = if path == "/" { Vec::new() } else { path.as_bytes().to_vec() };
            bytes.extend_from_slice(&node.data);
            let stat = &node.stat;
            for long in [stat.czxid, stat.mzxid, stat.pzxid, stat.ctime, stat.mtime] {
                bytes.extend_from_slice(&long.to_be_bytes());
            }
            for int in [stat.version, node.creations, stat.aversion] {
                bytes.extend_from_slice(&int.to_be_bytes());
            }
            bytes.extend_from_slice(&node.owner.to_be_bytes());
            sum.wrapping_add(u64::from(crc32(&bytes)))
        })
    }

    fn parent(&mut self, path: &str) -> &mut Node {
        self.nodes.get_mut(parent(path)).unwrap()
    }

    fn children(&self, path: &str) -> i32 {
        self.nodes.keys().filter(|other| *other != "/" && parent(other) == path).count() as i32
    }
}

fn parent(path: &str) -> &str {
    match path.rfind('/').unwrap() {
        0 => "/",
        slash => &path[..slash],
    }
}

fn permit(node: &Node, wanted: i32) -> Result<(), ErrorCode> {
    if node.allowed & wanted != 0 { Ok(()) } else { Err(ErrorCode::NoAuth) }
}

fn expect(current: i32, expected: i32) -> Result<(), ErrorCode> {
    if expected == -1 || expected == current { Ok(()) } else { Err(ErrorCode::BadVersion) }
}

/// Bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
