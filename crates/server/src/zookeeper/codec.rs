//! Between the replica's codec and ZooKeeper's bytes.

use bytes::Bytes;
use consensus::Entry;
use replica::{Decoded, RequestId, Undecodable};
use znodes::{Request, Tree, Txn};
use zookeeper::{Malformed, request, txn};

/// ZooKeeper's transactions and forwarded requests.
pub(crate) struct ZooKeeperCodec {
    length_max: usize,
}

impl ZooKeeperCodec {
    /// Takes no string and no buffer longer than `length_max` from those who forward requests.
    pub(crate) fn new(length_max: usize) -> ZooKeeperCodec {
        ZooKeeperCodec { length_max }
    }
}

impl replica::Codec for ZooKeeperCodec {
    type Machine = Tree;

    fn id(&mut self, request: &Request) -> RequestId {
        RequestId(request::id(request.session, request.cxid))
    }

    fn encode_request(&self, _: RequestId, request: &Request) -> Bytes {
        request::encode(request)
    }

    fn decode_request(&self, data: &Bytes) -> Result<(RequestId, Request), Undecodable> {
        let request = request::decode(data, self.length_max).map_err(undecodable)?;
        Ok((RequestId(request::id(request.session, request.cxid)), request))
    }

    /// What is logged is not what was asked for but what comes of it.
    fn encode(&self, _: RequestId, command: &Txn, _: Bytes) -> Bytes {
        txn::encode(command)
    }

    fn decode(&self, entry: &Entry) -> Result<Decoded<Txn>, Undecodable> {
        let txn = txn::decode(&entry.data).map_err(undecodable)?;
        let id = RequestId(request::id(txn.header.session, txn.header.cxid));
        Ok(Decoded { id: Some(id), command: Some(txn) })
    }
}

fn undecodable(malformed: Malformed) -> Undecodable {
    Undecodable(malformed.to_string())
}
