//! Between the replica's codec and etcd's bytes.

use super::engine::Machine;
use super::metrics::Metrics;
use bytes::Bytes;
use consensus::{Entry, EntryKind, NodeId};
use etcd::codec;
use etcd::request_id::RequestIds;
use keyspace::{Command, MemberChange};
use raft::{Body, Message};
use replica::{Decoded, RequestId, Undecodable};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use storage::Disk;

/// etcd's log entries. Counts what goes by when it is applied.
pub(crate) struct EtcdCodec<D> {
    ids: RequestIds,
    metrics: Arc<Metrics>,
    /// On which disk the machine's data is, commands do not show.
    disk: PhantomData<fn() -> D>,
}

impl<D> EtcdCodec<D> {
    /// For a member that starts so long after 1970.
    pub(crate) fn new(me: NodeId, since_1970: Duration, metrics: Arc<Metrics>) -> EtcdCodec<D> {
        EtcdCodec { ids: RequestIds::new(me, since_1970), metrics, disk: PhantomData }
    }
}

impl<D: Disk> replica::Codec for EtcdCodec<D> {
    type Machine = Machine<D>;

    fn id(&mut self, _request: &Command) -> RequestId {
        RequestId(self.ids.next_request().into())
    }

    fn encode_request(&self, id: RequestId, request: &Command) -> Bytes {
        // etcd's ids have 64 bits, and `id` made this one.
        codec::encode(id.0 as u64, request)
    }

    fn decode_request(&self, data: &Bytes) -> Result<(RequestId, Command), Undecodable> {
        let decoded = codec::decode_data(EntryKind::Command, data).map_err(|why| Undecodable(why.to_string()))?;
        match decoded {
            // A Go member's client may ask for what changes nothing here, such as a list of users, and Go asks that through the log:
            // the entry is that request as it came ([`Self::encode`]), and is passed over when it is applied.
            codec::Decoded { id: Some(id), command } => {
                Ok((RequestId(id.into()), command.unwrap_or_else(|| Command::Unsupported("what changes nothing".to_owned()))))
            }
            codec::Decoded { id: None, .. } => Err(Undecodable("a request without an id".to_owned())),
        }
    }

    /// A request is its own command. What another member forwarded goes into the log as it came.
    fn encode(&self, _: RequestId, _: &Command, request: Bytes) -> Bytes {
        request
    }

    fn decode(&self, entry: &Entry) -> Result<Decoded<Command>, Undecodable> {
        let codec::Decoded { id, command } = applicable(entry)?;
        match &command {
            Some(Command::Put(_)) => self.metrics.put(),
            Some(Command::DeleteRange(_)) => self.metrics.delete(),
            Some(Command::Txn(_)) => self.metrics.txn(),
            _ => {}
        }
        Ok(Decoded { id: id.map(|id| RequestId(id.into())), command })
    }
}

/// Whether a message's entries could be applied here. One that could not would stop this member for good once it was committed, so it is
/// not even taken into the log: the message counts as lost.
pub(crate) fn check(message: &Message) -> Result<(), Undecodable> {
    match &message.body {
        Body::Append { entries, .. } => entries.iter().try_for_each(|entry| applicable(entry).map(drop)),
        _ => Ok(()),
    }
}

/// What an entry says, if it can be applied here.
fn applicable(entry: &Entry) -> Result<codec::Decoded, Undecodable> {
    let decoded = codec::decode(entry).map_err(|why| Undecodable(why.to_string()))?;
    if let codec::Decoded { id: Some(_), command: Some(Command::Member(change)) } = &decoded {
        refuse_change(change)?;
    }
    Ok(decoded)
}

/// The protocol does not change its quorum yet. A member that passed over a change that others carry out would count another quorum
/// than they do, which is how committed entries are lost: it must stop instead. (The entries that a cluster begins with have no id;
/// they say what the protocol was told at the start.)
fn refuse_change(change: &MemberChange) -> Result<(), Undecodable> {
    let what = match change {
        MemberChange::Update { .. } => return Ok(()),
        MemberChange::Add(member) => format!("the addition of member {:x}", member.id),
        MemberChange::Promote { id } => format!("the promotion of member {id:x}"),
        MemberChange::Remove { id } => format!("the removal of member {id:x}"),
    };
    Err(Undecodable(format!("it is {what}, and Quorate cannot change the members of a running cluster yet")))
}
