//! Records that occur in more than one protocol.

use super::{Reader, Writer};
use crate::Malformed;
use znodes::{Acl, Id, Permissions, Stat};

impl Reader<'_> {
    /// Somebody.
    pub fn id(&mut self) -> Result<Id, Malformed> {
        Ok(Id { scheme: self.text("a scheme")?, id: self.text("an id")? })
    }

    /// Several; null is nobody.
    pub fn ids(&mut self) -> Result<Vec<Id>, Malformed> {
        Ok(self.vector(Reader::id)?.unwrap_or_default())
    }

    /// An access list; null is empty.
    pub fn acl(&mut self) -> Result<Vec<Acl>, Malformed> {
        let line = |reader: &mut Self| Ok(Acl { permissions: Permissions(reader.int()?), id: reader.id()? });
        Ok(self.vector(line)?.unwrap_or_default())
    }

    /// A node's numbers.
    pub fn stat(&mut self) -> Result<Stat, Malformed> {
        Ok(Stat {
            czxid: self.long()?,
            mzxid: self.long()?,
            ctime: self.long()?,
            mtime: self.long()?,
            version: self.int()?,
            cversion: self.int()?,
            aversion: self.int()?,
            ephemeral_owner: self.long()?,
            data_length: self.int()?,
            num_children: self.int()?,
            pzxid: self.long()?,
        })
    }
}

impl Writer {
    /// Several people. Never null: Java does not expect that.
    pub fn ids(&mut self, ids: &[Id]) {
        self.vector(ids, |writer, id| writer.id(id));
    }

    /// An access list.
    pub fn acl(&mut self, acl: &[Acl]) {
        self.vector(acl, |writer, line| {
            writer.int(line.permissions.0);
            writer.id(&line.id);
        });
    }

    /// A node's numbers.
    pub fn stat(&mut self, stat: &Stat) {
        self.long(stat.czxid);
        self.long(stat.mzxid);
        self.long(stat.ctime);
        self.long(stat.mtime);
        self.int(stat.version);
        self.int(stat.cversion);
        self.int(stat.aversion);
        self.long(stat.ephemeral_owner);
        self.int(stat.data_length);
        self.int(stat.num_children);
        self.long(stat.pzxid);
    }

    fn id(&mut self, id: &Id) {
        self.string(&id.scheme);
        self.string(&id.id);
    }
}
