//! Between commands and the bytes of log entries.
//!
//! | entry | bytes | says |
//! |---|---|---|
//! | normal | none | nothing: a new leader's first entry |
//! | normal | InternalRaftRequest | one of many requests, under the id in its header |
//! | normal | v2 Request | a member's attributes or the cluster's version, which 3.5 writes so |
//! | configuration | raftpb.ConfChange | a change of the members ([`crate::conf_change`]) |
//!
//! A request *is* the command, so a follower forwards to its leader the very bytes that go into the log.

mod put;

use crate::conf_change::ConfChange;
use crate::json::Attributes;
use crate::pb::etcdserverpb::{self as pb, AlarmType, InternalRaftRequest, RequestHeader, alarm_request};
use crate::pb::membershippb;
use crate::{Malformed, v2};
use bytes::Bytes;
use consensus::{Entry, EntryKind, NodeId};
use keyspace::{AlarmAction, AlarmKind, AlarmRequest, Command, Downgrade, LeaseCheckpoint, LeaseGrantRequest};
use prost::Message as _;

/// What an entry says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Decoded {
    /// The id of the request that it came from, if it names one.
    pub id: Option<u64>,
    /// `None`: nothing that would change anything.
    pub command: Option<Command>,
}

/// Who reads the entry that carries a command.
pub fn kind(command: &Command) -> EntryKind {
    match command {
        Command::Member(_) => EntryKind::Configuration,
        _ => EntryKind::Command,
    }
}

/// An entry's data, as Go etcd 3.5 would write it for the request `id`.
///
/// Panics on [`Command::Unsupported`], which nobody proposes.
pub fn encode(id: u64, command: &Command) -> Bytes {
    match command {
        Command::Put(request) => put::encode(id, request),
        Command::Member(change) => ConfChange { id, change: change.clone() }.encode(),
        Command::MemberAttributes { id: member, name, client_urls } => {
            let attributes = Attributes { name: name.clone(), client_urls: client_urls.clone() };
            v2::attributes(id, NodeId(*member), &attributes)
        }
        Command::ClusterVersion(version) => v2::version(id, version),
        _ => request(id, command).encode_to_vec().into(),
    }
}

fn request(id: u64, command: &Command) -> InternalRaftRequest {
    let header = Some(RequestHeader { id, ..RequestHeader::default() });
    let mut request = InternalRaftRequest { header, ..InternalRaftRequest::default() };
    match command {
        Command::DeleteRange(delete) => request.delete_range = Some(delete.into()),
        Command::Txn(txn) => request.txn = Some(txn.into()),
        Command::Range(range) => request.range = Some(range.into()),
        Command::Compact(compact) => request.compaction = Some(compact.into()),
        Command::LeaseGrant(LeaseGrantRequest { id, ttl }) => {
            request.lease_grant = Some(pb::LeaseGrantRequest { id: *id, ttl: *ttl });
        }
        Command::LeaseRevoke { id } => request.lease_revoke = Some(pb::LeaseRevokeRequest { id: *id }),
        Command::LeaseCheckpoint(checkpoints) => {
            let checkpoints =
                checkpoints.iter().map(|&LeaseCheckpoint { id, remaining_ttl }| pb::LeaseCheckpoint { id, remaining_ttl });
            request.lease_checkpoint = Some(pb::LeaseCheckpointRequest { checkpoints: checkpoints.collect() });
        }
        Command::Alarm(alarm) => request.alarm = Some(alarm.into()),
        Command::Downgrade(Downgrade { enabled, version }) => {
            let info = membershippb::DowngradeInfoSetRequest { enabled: *enabled, ver: version.clone() };
            request.downgrade_info_set = Some(info);
        }
        Command::Put(_) | Command::Member(_) | Command::MemberAttributes { .. } | Command::ClusterVersion(_) => {
            unreachable!("encode() has taken care of {command:?}")
        }
        Command::Unsupported(name) => panic!("nobody proposes {name}"),
    }
    request
}

/// What an entry of the log says.
///
/// An error is fatal for a member: who passes over an entry that others apply is no longer like them.
pub fn decode(entry: &Entry) -> Result<Decoded, Malformed> {
    decode_data(entry.kind, &entry.data)
}

/// What an entry's data says; also what a follower forwards.
pub fn decode_data(kind: EntryKind, data: &Bytes) -> Result<Decoded, Malformed> {
    match kind {
        EntryKind::Command if data.is_empty() => Ok(Decoded::default()),
        EntryKind::Command => decode_request(data),
        EntryKind::Configuration => {
            let (id, change) = ConfChange::decode(data)?;
            Ok(Decoded { id: named(id), command: change.map(Command::Member) })
        }
    }
}

fn decode_request(data: &Bytes) -> Result<Decoded, Malformed> {
    if let Some((id, request)) = put::decode(data) {
        return Ok(Decoded { id: named(id), command: Some(Command::Put(request)) });
    }
    // As in etcd: what does not parse as the one is the other. A v2 request never parses as an InternalRaftRequest, see there.
    match InternalRaftRequest::decode(data.clone()) {
        Ok(InternalRaftRequest { v2: Some(request), .. }) => decode_v2(request),
        Ok(request) => {
            let id = match request.id {
                0 => request.header.as_ref().map_or(0, |header| header.id),
                id => id,
            };
            Ok(Decoded { id: named(id), command: command(request)? })
        }
        Err(source) => match pb::Request::decode(data.clone()) {
            Ok(request) => decode_v2(request),
            Err(_) => Err(Malformed::Protobuf { what: "InternalRaftRequest", source }),
        },
    }
}

fn decode_v2(request: pb::Request) -> Result<Decoded, Malformed> {
    Ok(Decoded { id: named(request.id()), command: v2::command(request)? })
}

/// No request has the id 0.
fn named(id: u64) -> Option<u64> {
    if id == 0 { None } else { Some(id) }
}

/// The command in a request; `None` if it changes nothing.
fn command(mut request: InternalRaftRequest) -> Result<Option<Command>, Malformed> {
    Ok(Some(if let Some(put) = request.put.take() {
        Command::Put(put.into())
    } else if let Some(txn) = request.txn.take() {
        Command::Txn(txn.into())
    } else if let Some(delete) = request.delete_range.take() {
        Command::DeleteRange(delete.into())
    } else if let Some(range) = request.range.take() {
        Command::Range(range.into())
    } else if let Some(compact) = request.compaction.take() {
        Command::Compact(compact.into())
    } else if let Some(pb::LeaseGrantRequest { id, ttl }) = request.lease_grant.take() {
        Command::LeaseGrant(LeaseGrantRequest { id, ttl })
    } else if let Some(pb::LeaseRevokeRequest { id }) = request.lease_revoke.take() {
        Command::LeaseRevoke { id }
    } else if let Some(pb::LeaseCheckpointRequest { checkpoints }) = request.lease_checkpoint.take() {
        let checkpoints =
            checkpoints.into_iter().map(|pb::LeaseCheckpoint { id, remaining_ttl }| LeaseCheckpoint { id, remaining_ttl });
        Command::LeaseCheckpoint(checkpoints.collect())
    } else if let Some(alarm) = request.alarm.take() {
        Command::Alarm(alarm_command(alarm)?)
    } else if let Some(membershippb::ClusterVersionSetRequest { ver }) = request.cluster_version_set.take() {
        Command::ClusterVersion(ver)
    } else if let Some(set) = request.cluster_member_attr_set.take() {
        let membershippb::Attributes { name, client_urls } = set.member_attributes.unwrap_or_default();
        Command::MemberAttributes { id: set.member_id, name, client_urls }
    } else if let Some(membershippb::DowngradeInfoSetRequest { enabled, ver }) = request.downgrade_info_set.take() {
        Command::Downgrade(Downgrade { enabled, version: ver })
    } else {
        return auth(&request).map(|()| None);
    }))
}

/// Whether a request about users and roles may be passed over: those that only read may, and so may what tells nothing apart
/// while there are no users.
fn auth(request: &InternalRaftRequest) -> Result<(), Malformed> {
    let writes = [
        ("auth_enable", request.auth_enable.is_some()),
        ("auth_user_add", request.auth_user_add.is_some()),
        ("auth_user_delete", request.auth_user_delete.is_some()),
        ("auth_user_change_password", request.auth_user_change_password.is_some()),
        ("auth_user_grant_role", request.auth_user_grant_role.is_some()),
        ("auth_user_revoke_role", request.auth_user_revoke_role.is_some()),
        ("auth_role_add", request.auth_role_add.is_some()),
        ("auth_role_delete", request.auth_role_delete.is_some()),
        ("auth_role_grant_permission", request.auth_role_grant_permission.is_some()),
        ("auth_role_revoke_permission", request.auth_role_revoke_permission.is_some()),
    ];
    if let Some((name, _)) = writes.into_iter().find(|(_, present)| *present) {
        return Err(Malformed::Unsupported(name.into()));
    }
    let harmless = request.auth_disable.is_some() // of what never was enabled
        || request.authenticate.is_some()
        || request.auth_status.is_some()
        || request.auth_user_get.is_some()
        || request.auth_user_list.is_some()
        || request.auth_role_get.is_some()
        || request.auth_role_list.is_some()
        || request.downgrade_version_test.is_some();
    if harmless { Ok(()) } else { Err(Malformed::UnknownRequest) }
}

fn alarm_command(request: pb::AlarmRequest) -> Result<AlarmRequest, Malformed> {
    let unknown = || Malformed::Unsupported(format!("alarm {} {}", request.action, request.alarm));
    Ok(AlarmRequest {
        action: match request.action.try_into() {
            Ok(alarm_request::AlarmAction::Get) => AlarmAction::Get,
            Ok(alarm_request::AlarmAction::Activate) => AlarmAction::Activate,
            Ok(alarm_request::AlarmAction::Deactivate) => AlarmAction::Deactivate,
            Err(_) => return Err(unknown()),
        },
        member: request.member_id,
        alarm: match request.alarm.try_into() {
            Ok(AlarmType::None) => AlarmKind::None,
            Ok(AlarmType::Nospace) => AlarmKind::NoSpace,
            Ok(AlarmType::Corrupt) => AlarmKind::Corrupt,
            Err(_) => return Err(unknown()),
        },
    })
}

impl From<&AlarmRequest> for pb::AlarmRequest {
    fn from(request: &AlarmRequest) -> Self {
        let action = match request.action {
            AlarmAction::Get => alarm_request::AlarmAction::Get,
            AlarmAction::Activate => alarm_request::AlarmAction::Activate,
            AlarmAction::Deactivate => alarm_request::AlarmAction::Deactivate,
        };
        let alarm = match request.alarm {
            AlarmKind::None => AlarmType::None,
            AlarmKind::NoSpace => AlarmType::Nospace,
            AlarmKind::Corrupt => AlarmType::Corrupt,
        };
        pb::AlarmRequest { action: action.into(), member_id: request.member, alarm: alarm.into() }
    }
}
