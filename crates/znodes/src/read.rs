//! Reads (Java: `FinalRequestProcessor`).

use crate::nodes::{Node, Slot};
use crate::path::name;
use crate::{Acl, Answer, ClientInfo, ErrorCode, Id, OpAnswer, Permissions, Query, ReadOp, Response, Tree};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Bound;

/// The numbers of getData and getChildren in the result of multiRead.
const GET_DATA: i32 = 4;
const GET_CHILDREN: i32 = 8;

impl Tree {
    pub(crate) fn answer(&self, query: &Query) -> Response {
        self.look(query.session, &query.ids, &query.op)
    }

    /// What a [`Query`] asks for, asked by somebody known as `ids`.
    pub fn look(&self, session: i64, ids: &[Id], op: &ReadOp) -> Response {
        match op {
            ReadOp::Exists { path } => self.exists(path, ids),
            ReadOp::GetData { path } => self.get_data(path, ids),
            ReadOp::GetAcl { path } => self.get_acl(path, ids),
            ReadOp::GetChildren { path } => self.get_children(path, ids),
            ReadOp::GetAllChildrenNumber { path } => {
                let slot = self.readable(path, Permissions::READ, ids)?;
                Ok(Answer::Count(self.nodes.get(slot).descendants() as i32))
            }
            ReadOp::GetEphemerals { prefix } => Ok(Answer::Paths(self.get_ephemerals(session, prefix))),
            ReadOp::WhoAmI => {
                let info = |id: &Id| ClientInfo { scheme: id.scheme.clone(), user: self.settings.user(id).to_string() };
                Ok(Answer::Who(ids.iter().map(info).collect()))
            }
            ReadOp::Sync { path } => Ok(Answer::Synced { path: path.clone() }),
            ReadOp::MultiRead(ops) => Ok(Answer::Multi(self.multi_read(ops, ids)?)),
        }
    }

    /// exists, asked by somebody known as `ids`. The reads that come by the thousand can be had without a [`Query`].
    pub fn exists(&self, path: &str, ids: &[Id]) -> Response {
        if path.contains('\0') {
            return Err(ErrorCode::BadArguments);
        }
        self.readable(path, Permissions::READ, ids).map(|slot| Answer::Stat(self.stat_of(slot)))
    }

    /// getData.
    pub fn get_data(&self, path: &str, ids: &[Id]) -> Response {
        let slot = self.readable(path, Permissions::READ, ids)?;
        Ok(Answer::Data { data: self.nodes.get(slot).data.clone(), stat: self.stat_of(slot) })
    }

    /// getChildren and getChildren2.
    pub fn get_children(&self, path: &str, ids: &[Id]) -> Response {
        let slot = self.readable(path, Permissions::READ, ids)?;
        let mut children = Vec::with_capacity(self.nodes.get(slot).children() as usize);
        children.extend(self.nodes.children(slot).map(|child: &Node| name(&child.path).to_string()));
        Ok(Answer::Children { children, stat: self.stat_of(slot) })
    }

    /// Who may read a list but not set it does not see the digests in it.
    fn get_acl(&self, path: &str, ids: &[Id]) -> Response {
        let slot = self.readable(path, Permissions(Permissions::READ.0 | Permissions::ADMIN.0), ids)?;
        let mut acl = self.acls.get(self.nodes.get(slot).acl).to_vec();
        if !self.settings.allows(&acl, Permissions::ADMIN, ids) {
            acl.iter_mut().for_each(mask);
        }
        Ok(Answer::Acl { acl, stat: self.stat_of(slot) })
    }

    fn get_ephemerals(&self, session: i64, prefix: &str) -> Vec<String> {
        // Only an empty prefix and the root are looked at without their blanks, as Java does.
        let all = matches!(prefix.trim(), "" | "/");
        let Some(paths) = self.ephemerals.get(&session) else { return Vec::new() };
        // The paths with a prefix stand together: those of no interest are not looked at.
        let prefix = if all { "" } else { prefix };
        let from = paths.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        from.take_while(|path| path.starts_with(prefix)).map(|path| path.to_string()).collect()
    }

    fn multi_read(&self, ops: &[ReadOp], ids: &[Id]) -> Result<Vec<OpAnswer>, ErrorCode> {
        let mut answers = Vec::with_capacity(ops.len());
        for op in ops {
            let (kind, answer) = match op {
                ReadOp::GetData { path } => (GET_DATA, self.get_data(path, ids)),
                ReadOp::GetChildren { path } => (GET_CHILDREN, self.get_children(path, ids)),
                _ => return Err(ErrorCode::MarshallingError),
            };
            answers.push(match answer {
                Ok(answer) => OpAnswer::Done { kind, answer },
                Err(code) => OpAnswer::Failed { code: code.number() },
            });
        }
        Ok(answers)
    }

    /// The node at `path`, if somebody known as `ids` may do any of `wanted` with it.
    fn readable(&self, path: &str, wanted: Permissions, ids: &[Id]) -> Result<Slot, ErrorCode> {
        let slot = self.nodes.find(path).ok_or(ErrorCode::NoNode)?;
        self.settings.permit(self.acls.get(self.nodes.get(slot).acl), wanted, ids)?;
        Ok(slot)
    }
}

/// `digest:user:hash` becomes `digest:user:x`.
fn mask(entry: &mut Acl) {
    if entry.id.scheme == "digest"
        && let Some(colon) = entry.id.id.find(':')
    {
        entry.id.id.replace_range(colon.., ":x");
    }
}
