//! A tree out of a snapshot: see [`crate::snapshot`] for its form. Every byte is doubted.

mod reader;

use crate::acls::AclKey;
use crate::digest::{self, Numbers};
use crate::nodes::{Node, ROOT};
use crate::quota;
use crate::{Acl, Id, Permissions, Settings, Tree, TreeDigest, path};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::{Position, RestoreError};
use reader::Reader;

/// Which list a number in the snapshot stands for here.
type Lists = BTreeMap<i64, AclKey>;

impl Tree {
    /// The machine that a snapshot holds. [`consensus::StateMachine::restore`] does the same with default settings.
    pub fn restore_with(settings: Settings, chunks: &mut dyn Iterator<Item = Bytes>) -> Result<Tree, RestoreError> {
        let mut reader = Reader::new(chunks);
        let zxid = reader.i64("a zxid")?;
        let mut tree = Tree::bare(settings, Numbers::default());
        tree.applied = Position::from_zxid(zxid as u64);
        for _ in 0..reader.count("how many sessions there are")? {
            let (id, timeout) = (reader.i64("a session")?, reader.i32("a session's time-out")?);
            tree.sessions.insert(id, timeout);
        }
        let mut lists = tree.restore_acls(&mut reader)?;
        tree.restore_nodes(&mut reader, &mut lists)?;
        tree.acls.let_go();
        tree.restore_quotas();
        tree.restore_digest(&mut reader)?;
        Ok(tree)
    }

    fn restore_acls(&mut self, reader: &mut Reader) -> Result<Lists, RestoreError> {
        let mut lists = Lists::new();
        for _ in 0..reader.count("how many access lists there are")? {
            let at = reader.offset();
            let number = reader.i64("an access list's number")?;
            let mut acl = Vec::new();
            for _ in 0..reader.count("how long an access list is")? {
                acl.push(read_acl(reader)?);
            }
            let key = self.list_key(number);
            if lists.insert(number, key).is_some() || self.acls.restore(key, acl).is_none() {
                return Err(Reader::error_at(at, "an access list's number that was not there before"));
            }
        }
        Ok(lists)
    }

    /// Java counts lists by 64 bits, and we by 32: what does not fit gets a number of its own.
    fn list_key(&self, number: i64) -> AclKey {
        match u32::try_from(number) {
            Ok(number) if (1..u32::MAX / 2).contains(&number) => AclKey(number),
            _ => AclKey((u32::MAX / 2).max(self.acls.last().0 + 1)),
        }
    }

    fn restore_nodes(&mut self, reader: &mut Reader, lists: &mut Lists) -> Result<(), RestoreError> {
        let at = reader.offset();
        if !reader.string("the root's path")?.is_empty() {
            return Err(Reader::error_at(at, "the root's path, which is empty"));
        }
        let (data, acl, numbers) = self.restore_node(reader, "/", lists)?;
        self.become_root(data, acl, numbers);
        loop {
            let at = reader.offset();
            let path = reader.string("a node's path, or / at the end")?;
            if path == "/" {
                return Ok(());
            }
            let parent = path::parent(&path).filter(|_| path.starts_with('/') && !path::name(&path).is_empty());
            let Some(parent) = parent.and_then(|parent| self.nodes.find(parent)) else {
                return Err(Reader::error_at(at, &format!("a path below a node that came before, not {path:?}")));
            };
            if self.nodes.find(&path).is_some() {
                return Err(Reader::error_at(at, &format!("a path that did not come before, not {path:?}")));
            }
            let (data, acl, numbers) = self.restore_node(reader, &path, lists)?;
            self.horizon = self.horizon.max(numbers.czxid);
            self.attach(Node::new(path.into(), data.as_deref(), numbers, acl), parent);
        }
    }

    fn restore_node(
        &mut self,
        reader: &mut Reader,
        path: &str,
        lists: &mut Lists,
    ) -> Result<(Option<Vec<u8>>, AclKey, Numbers), RestoreError> {
        let data = reader.buffer("a node's data")?;
        let number = reader.i64("the number of a node's access list")?;
        let content = digest::content(path, data.as_deref().unwrap_or(&[]));
        let numbers = read_numbers(reader, content)?;
        let acl = if number == -1 { AclKey::OPEN } else { self.use_list(number, lists) };
        Ok((data, acl, numbers))
    }

    /// A fuzzy snapshot that Java made may name lists that it does not hold: the transaction that set the list is still to be applied
    /// again. Until then nobody may do anything there.
    fn use_list(&mut self, number: i64, lists: &mut Lists) -> AclKey {
        let key = match lists.get(&number) {
            Some(&key) => key,
            None => {
                let key = self.list_key(number);
                let nobody = vec![crate::acls::anyone(Permissions(0))];
                self.acls.restore(key, nobody).expect("a number that is free");
                lists.insert(number, key);
                key
            }
        };
        self.acls.acquire_key(key);
        key
    }

    fn become_root(&mut self, data: Option<Vec<u8>>, acl: AclKey, numbers: Numbers) {
        let content = numbers.content;
        self.put_data(ROOT, data.as_deref());
        self.nodes.get_mut(ROOT).acl = acl;
        self.renumber(ROOT, |root| *root = Numbers { content, ..numbers });
        self.horizon = numbers.czxid;
    }

    /// What is used is counted anew (Java: `DataTree.setupQuota`).
    fn restore_quotas(&mut self) {
        let Some(top) = self.nodes.find(path::QUOTA) else { return };
        let subjects: Vec<String> =
            self.nodes.below(top).filter_map(|node| quota::limited(&node.path)).map(String::from).collect();
        for subject in subjects {
            self.measure(&subject);
            self.quotas.insert(&subject);
        }
    }

    fn restore_digest(&mut self, reader: &mut Reader) -> Result<(), RestoreError> {
        if reader.is_at_end() {
            return Ok(());
        }
        let zxid = reader.i64("the digest's zxid")?;
        let version = reader.i32("the digest's version")?;
        let value = reader.i64("the digest")? as u64;
        if !reader.is_at_end() {
            return Err(reader.error("the end of the snapshot"));
        }
        // A digest of before the snapshot was begun is of no use: Java's leaders write such when an epoch begins, and zeros when there
        // was no transaction yet.
        let useful = zxid > 0 && zxid >= self.applied.zxid() as i64;
        if self.settings.digest && version == TreeDigest::VERSION && useful {
            self.verify.fuzzy_until = Some((zxid, value));
            if zxid == self.applied.zxid() as i64 {
                self.verify.check(self.applied, self.digest, None);
            }
        }
        Ok(())
    }
}

fn read_acl(reader: &mut Reader) -> Result<Acl, RestoreError> {
    let permissions = Permissions(reader.i32("permissions")?);
    let scheme = reader.string("a scheme")?;
    let id = reader.string("an id")?;
    Ok(Acl { permissions, id: Id { scheme, id } })
}

fn read_numbers(reader: &mut Reader, content: u32) -> Result<Numbers, RestoreError> {
    Ok(Numbers {
        czxid: reader.i64("a node's czxid")?,
        mzxid: reader.i64("a node's mzxid")?,
        ctime: reader.i64("a node's ctime")?,
        mtime: reader.i64("a node's mtime")?,
        version: reader.i32("a node's version")?,
        cversion: reader.i32("a node's cversion")?,
        aversion: reader.i32("a node's aversion")?,
        owner: reader.i64("a node's owner")?,
        pzxid: reader.i64("a node's pzxid")?,
        content,
    })
}
