//! etcd's own log entries.

use super::machine::{Ask, Keys, op_of};
use bytes::Bytes;
use consensus::{Entry, EntryKind};
use etcd::codec;
use replica::{Codec, Decoded, RequestId, Undecodable};

/// Between commands and etcd's bytes.
pub(crate) struct EtcdCodec;

impl Codec for EtcdCodec {
    type Machine = Keys;

    fn id(&mut self, request: &Ask) -> RequestId {
        RequestId(request.id.into())
    }

    fn encode_request(&self, id: RequestId, request: &Ask) -> Bytes {
        codec::encode(id.0 as u64, &request.command)
    }

    fn decode_request(&self, data: &Bytes) -> Result<(RequestId, Ask), Undecodable> {
        match decode(EntryKind::Command, data)? {
            Some(ask) => Ok((RequestId(ask.id.into()), ask)),
            None => Err(Undecodable("a request that asks for nothing".to_owned())),
        }
    }

    fn encode(&self, _: RequestId, _: &Ask, request: Bytes) -> Bytes {
        request
    }

    fn decode(&self, entry: &Entry) -> Result<Decoded<Ask>, Undecodable> {
        let ask = decode(entry.kind, &entry.data)?;
        Ok(Decoded { id: ask.as_ref().map(|ask| RequestId(ask.id.into())), command: ask })
    }
}

fn decode(kind: EntryKind, data: &Bytes) -> Result<Option<Ask>, Undecodable> {
    let decoded = codec::decode_data(kind, data).map_err(|why| Undecodable(why.to_string()))?;
    Ok(decoded.command.map(|command| Ask { id: decoded.id.unwrap_or(0), command }))
}

/// The number of the operation that an entry carries; 0 if none.
pub(super) fn op_of_entry(entry: &Entry) -> u64 {
    decode(entry.kind, &entry.data).ok().flatten().map_or(0, |ask| op_of(ask.id))
}
