//! etcdctl's JSON: Go's, of the protobuf messages. Bytes are base64, and what is zero is absent.

use super::Statuses;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use etcd::pb::etcdserverpb::response_op::Response;
use etcd::pb::etcdserverpb::{
    CompactionResponse, DeleteRangeResponse, LeaseGrantResponse, LeaseKeepAliveResponse, LeaseLeasesResponse,
    LeaseRevokeResponse, LeaseTimeToLiveResponse, MemberListResponse, PutResponse, RangeResponse, ResponseHeader, ResponseOp,
    TxnResponse, WatchResponse,
};
use etcd::pb::mvccpb::{Event, KeyValue};
use serde_json::{Map, Value};

/// An object whose zero fields are left out.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn with(mut self, name: &str, value: impl Into<Value>) -> Object {
        let value = value.into();
        let zero = match &value {
            Value::Null => true,
            Value::Bool(value) => !value,
            Value::Number(value) => value.as_i64() == Some(0),
            Value::String(value) => value.is_empty(),
            Value::Array(value) => value.is_empty(),
            Value::Object(_) => false,
        };
        if !zero {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    /// A field that is there whatever it holds, as in those of Go's structs that do not come from protobuf.
    fn always(mut self, name: &str, value: impl Into<Value>) -> Object {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    fn bytes(self, name: &str, bytes: &[u8]) -> Object {
        self.with(name, STANDARD.encode(bytes))
    }

    fn line(self) -> String {
        format!("{}\n", Value::Object(self.0))
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Value {
        Value::Object(object.0)
    }
}

pub(crate) fn range_json(answer: &RangeResponse) -> String {
    range(answer).line()
}

pub(crate) fn put_json(answer: &PutResponse) -> String {
    put(answer).line()
}

pub(crate) fn del_json(answer: &DeleteRangeResponse) -> String {
    deleted(answer).line()
}

pub(crate) fn txn_json(answer: &TxnResponse) -> String {
    txn(answer).line()
}

fn range(answer: &RangeResponse) -> Object {
    Object::default()
        .with("header", header(answer.header.as_ref()))
        .with("kvs", answer.kvs.iter().map(key_value).collect::<Vec<Value>>())
        .with("more", answer.more)
        .with("count", answer.count)
}

fn put(answer: &PutResponse) -> Object {
    Object::default()
        .with("header", header(answer.header.as_ref()))
        .with("prev_kv", answer.prev_kv.as_ref().map_or(Value::Null, key_value))
}

fn deleted(answer: &DeleteRangeResponse) -> Object {
    Object::default()
        .with("header", header(answer.header.as_ref()))
        .with("deleted", answer.deleted)
        .with("prev_kvs", answer.prev_kvs.iter().map(key_value).collect::<Vec<Value>>())
}

fn txn(answer: &TxnResponse) -> Object {
    let response = |response: &ResponseOp| {
        let (name, told) = match response.response.as_ref()? {
            Response::ResponseRange(answer) => ("response_range", range(answer)),
            Response::ResponsePut(answer) => ("response_put", put(answer)),
            Response::ResponseDeleteRange(answer) => ("response_delete_range", deleted(answer)),
            Response::ResponseTxn(answer) => ("response_txn", txn(answer)),
        };
        Some(Object::default().with("Response", Object::default().with(name, told)).into())
    };
    Object::default()
        .with("header", header(answer.header.as_ref()))
        .with("succeeded", answer.succeeded)
        .with("responses", answer.responses.iter().filter_map(response).collect::<Vec<Value>>())
}

pub(crate) fn members_json(answer: &MemberListResponse) -> String {
    let members = answer.members.iter().map(|member| {
        Object::default()
            .with("ID", member.id)
            .with("name", member.name.clone())
            .with("peerURLs", member.peer_ur_ls.clone())
            .with("clientURLs", member.client_ur_ls.clone())
            .with("isLearner", member.is_learner)
            .into()
    });
    Object::default().with("header", header(answer.header.as_ref())).with("members", members.collect::<Vec<Value>>()).line()
}

/// Only the members that answered, as etcdctl has it.
pub(crate) fn status_json(statuses: &Statuses) -> String {
    let answered = statuses.iter().filter_map(|(endpoint, answer)| {
        let status = answer.as_ref().ok()?;
        let status = Object::default()
            .with("header", header(status.header.as_ref()))
            .with("version", status.version.clone())
            .with("dbSize", status.db_size)
            .with("leader", status.leader)
            .with("raftIndex", status.raft_index)
            .with("raftTerm", status.raft_term)
            .with("raftAppliedIndex", status.raft_applied_index)
            .with("errors", status.errors.clone())
            .with("dbSizeInUse", status.db_size_in_use)
            .with("isLearner", status.is_learner);
        Some(Object::default().with("Endpoint", endpoint.clone()).with("Status", status).into())
    });
    format!("{}\n", Value::Array(answered.collect()))
}

pub(crate) fn compact_json(answer: &CompactionResponse) -> String {
    Object::default().with("header", header(answer.header.as_ref())).line()
}

/// clientv3's WatchResponse, one a line.
pub(crate) fn watch_json(answer: &WatchResponse) -> String {
    let event = |event: &Event| {
        Object::default()
            .with("type", event.r#type)
            .with("kv", event.kv.as_ref().map_or(Value::Null, key_value))
            .with("prev_kv", event.prev_kv.as_ref().map_or(Value::Null, key_value))
            .into()
    };
    Object::default()
        .always("Header", header(answer.header.as_ref()))
        .always("Events", answer.events.iter().map(event).collect::<Vec<Value>>())
        .always("CompactRevision", answer.compact_revision)
        .always("Canceled", answer.canceled)
        .always("Created", answer.created)
        .line()
}

pub(crate) fn grant_json(answer: &LeaseGrantResponse) -> String {
    header(answer.header.as_ref()).always("ID", answer.id).always("TTL", answer.ttl).always("Error", answer.error.clone()).line()
}

pub(crate) fn revoke_json(answer: &LeaseRevokeResponse) -> String {
    Object::default().with("header", header(answer.header.as_ref())).line()
}

pub(crate) fn keep_alive_json(answer: &LeaseKeepAliveResponse) -> String {
    header(answer.header.as_ref()).always("ID", answer.id).always("TTL", answer.ttl).line()
}

pub(crate) fn ttl_json(answer: &LeaseTimeToLiveResponse) -> String {
    let keys: Vec<Value> = answer.keys.iter().map(|key| STANDARD.encode(key).into()).collect();
    header(answer.header.as_ref())
        .always("id", answer.id)
        .always("ttl", answer.ttl)
        .always("granted-ttl", answer.granted_ttl)
        .always("keys", if keys.is_empty() { Value::Null } else { keys.into() })
        .line()
}

pub(crate) fn leases_json(answer: &LeaseLeasesResponse) -> String {
    let leases = answer.leases.iter().map(|lease| Object::default().always("id", lease.id).into());
    header(answer.header.as_ref()).always("leases", leases.collect::<Vec<Value>>()).line()
}

fn header(header: Option<&ResponseHeader>) -> Object {
    let Some(header) = header else { return Object::default() };
    Object::default()
        .with("cluster_id", header.cluster_id)
        .with("member_id", header.member_id)
        .with("revision", header.revision)
        .with("raft_term", header.raft_term)
}

fn key_value(kv: &KeyValue) -> Value {
    Object::default()
        .bytes("key", &kv.key)
        .with("create_revision", kv.create_revision)
        .with("mod_revision", kv.mod_revision)
        .with("version", kv.version)
        .bytes("value", &kv.value)
        .with("lease", kv.lease)
        .into()
}
