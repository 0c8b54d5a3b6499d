//! The record behind a transaction's header (Java: `SerializeUtils.deserializeTxn`).

use crate::Malformed;
use crate::jute::{Reader, Writer};
use bytes::Bytes;
use znodes::{Change, Kind, TreeDigest};

pub(super) fn read(kind: Kind, reader: &mut Reader<'_>) -> Result<Change, Malformed> {
    match kind {
        Kind::CREATE_SESSION => Ok(Change::CreateSession { timeout: reader.int()? }),
        Kind::CLOSE_SESSION => close_session(reader),
        Kind::MULTI => {
            let parts = reader.vector(part)?.unwrap_or_default();
            Ok(Change::Multi(parts))
        }
        _ => simple(kind, reader),
    }
}

pub(super) fn write(kind: Kind, change: &Change, writer: &mut Writer) {
    match change {
        Change::CreateSession { timeout } => writer.int(*timeout),
        Change::CloseSession { paths } => writer.strings(paths),
        Change::Create { path, data, acl, ephemeral, parent_cversion, ttl } => {
            writer.string(path);
            writer.buffer(data.as_deref());
            writer.acl(acl);
            if kind == Kind::CREATE || kind == Kind::CREATE2 {
                writer.bool(*ephemeral);
            }
            writer.int(*parent_cversion);
            if kind == Kind::CREATE_TTL {
                writer.long(ttl.expect("createTTL has a time to live"));
            }
        }
        Change::Delete { path } => writer.string(path),
        Change::SetData { path, data, version } => {
            writer.string(path);
            writer.buffer(data.as_deref());
            writer.int(*version);
        }
        Change::SetAcl { path, acl, version } => {
            writer.string(path);
            writer.acl(acl);
            writer.int(*version);
        }
        Change::Check { path, version } => {
            writer.string(path);
            writer.int(*version);
        }
        Change::Error { code } => writer.int(*code),
        Change::Multi(parts) => writer.vector(parts, |writer, (kind, change)| {
            writer.int(kind.0);
            writer.framed(|writer| write(*kind, change, writer));
        }),
    }
}

/// One part of a multi: its type, then its record as a buffer.
fn part(reader: &mut Reader<'_>) -> Result<(Kind, Change), Malformed> {
    let kind = Kind(reader.int()?);
    let offset = reader.offset() + 4;
    let Some(record) = reader.buffer()? else { return reader.refuse("the record of a part of a multi, not null") };
    let mut within = Reader::new(&record, record.len());
    let change = simple(kind, &mut within).map_err(|malformed| Malformed { offset: offset + malformed.offset, ..malformed })?;
    Ok((kind, change))
}

/// What may stand alone and in a multi. Sessions and multis within a multi do not exist.
fn simple(kind: Kind, reader: &mut Reader<'_>) -> Result<Change, Malformed> {
    match kind {
        Kind::CREATE | Kind::CREATE2 | Kind::CREATE_CONTAINER | Kind::CREATE_TTL => create(kind, reader),
        Kind::DELETE | Kind::DELETE_CONTAINER => Ok(Change::Delete { path: reader.text("a path")? }),
        Kind::SET_DATA | Kind::RECONFIG => {
            Ok(Change::SetData { path: reader.text("a path")?, data: data(reader)?, version: reader.int()? })
        }
        Kind::SET_ACL => Ok(Change::SetAcl { path: reader.text("a path")?, acl: reader.acl()?, version: reader.int()? }),
        Kind::CHECK => Ok(Change::Check { path: reader.text("a path")?, version: reader.int()? }),
        Kind::ERROR => Ok(Change::Error { code: reader.int()? }),
        Kind(other) => Err(Malformed::number(reader.offset(), "the record of a known type of transaction", other.into())),
    }
}

fn create(kind: Kind, reader: &mut Reader<'_>) -> Result<Change, Malformed> {
    let path = reader.text("a path")?;
    let data = data(reader)?;
    let acl = reader.acl()?;
    let ephemeral = (kind == Kind::CREATE || kind == Kind::CREATE2) && reader.bool()?;
    // Before ZooKeeper 3.3 the record ended here (CreateTxnV0).
    let parent_cversion = if kind == Kind::CREATE && reader.remaining() < 4 { -1 } else { reader.int()? };
    let ttl = if kind == Kind::CREATE_TTL { Some(reader.long()?) } else { None };
    Ok(Change::Create { path, data, acl, ephemeral, parent_cversion, ttl })
}

fn close_session(reader: &mut Reader<'_>) -> Result<Change, Malformed> {
    // Before ZooKeeper 3.6, and with `zookeeper.closeSessionTxn.enabled=false`, there is no record. A digest may follow at once; as
    // a list it would name two nodes without a name.
    let without_record = match reader.remaining() {
        0 => true,
        super::DIGEST => reader.peek_int() == Some(TreeDigest::VERSION),
        _ => false,
    };
    let paths = if without_record { Vec::new() } else { reader.texts("the path of an ephemeral node")? };
    Ok(Change::CloseSession { paths })
}

fn data(reader: &mut Reader<'_>) -> Result<Option<Bytes>, Malformed> {
    Ok(reader.buffer()?.map(|data| Bytes::copy_from_slice(&data)))
}
