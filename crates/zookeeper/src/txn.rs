//! Transactions, as they stand in the log and travel in PROPOSAL and INFORM.
//!
//! ```text
//! │ session: long │ cxid: int │ zxid: long │ time: long │ type: int │ record │ digest version: int, digest: long │
//! └─────────────────────────── header, 32 bytes ───────────────────┘        └──────── if the leader says so ────┘
//! ```

mod record;

use crate::Malformed;
use crate::jute::{Reader, Writer};
use bytes::Bytes;
use consensus::Position;
use znodes::{Header, Kind, TreeDigest, Txn};

/// Bytes of the header.
const HEADER: usize = 32;

/// Bytes of the digest.
const DIGEST: usize = 12;

/// What a payload says. Data is copied, so that a node in the tree does not keep a whole batch of the log in memory.
///
/// Whatever follows record and digest is of a later version, and ignored; the log keeps it, since it keeps payloads as they are.
pub fn decode(payload: &Bytes) -> Result<Txn, Malformed> {
    // The payload was bounded when it came in; within it nothing can be longer.
    let mut reader = Reader::new(payload, payload.len());
    let header = header(&mut reader)?;
    let change = record::read(header.kind, &mut reader)?;
    let digest = if reader.remaining() >= DIGEST {
        Some(TreeDigest { version: reader.int()?, value: reader.long()? as u64 })
    } else {
        None
    };
    Ok(Txn { header, change, digest })
}

/// A transaction's payload.
pub fn encode(txn: &Txn) -> Bytes {
    let mut writer = Writer::with_capacity(256);
    writer.long(txn.header.session);
    writer.int(txn.header.cxid);
    writer.long(txn.header.position.zxid() as i64);
    writer.long(txn.header.time);
    writer.int(txn.header.kind.0);
    record::write(txn.header.kind, &txn.change, &mut writer);
    if let Some(digest) = txn.digest {
        writer.int(digest.version);
        writer.long(digest.value as i64);
    }
    writer.finish()
}

/// Where a payload's transaction stands, without reading the rest.
pub fn position_of(payload: &[u8]) -> Option<Position> {
    let zxid = payload.get(..HEADER)?.get(12..)?.first_chunk::<8>()?;
    Some(Position::from_zxid(u64::from_be_bytes(*zxid)))
}

/// The session and cxid of a payload's transaction, without reading the rest.
pub fn origin_of(payload: &[u8]) -> Option<(i64, i32)> {
    let header = payload.get(..HEADER)?;
    let session = i64::from_be_bytes(*header.first_chunk()?);
    let cxid = i32::from_be_bytes(*header.get(8..)?.first_chunk()?);
    Some((session, cxid))
}

fn header(reader: &mut Reader<'_>) -> Result<Header, Malformed> {
    let session = reader.long()?;
    let cxid = reader.int()?;
    let offset = reader.offset();
    let zxid = reader.long()?;
    let Ok(position) = u64::try_from(zxid).map(Position::from_zxid) else {
        return Err(Malformed::number(offset, "a zxid", zxid));
    };
    Ok(Header { session, cxid, position, time: reader.long()?, kind: Kind(reader.int()?) })
}
