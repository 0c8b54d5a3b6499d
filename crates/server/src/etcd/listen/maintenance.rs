//! etcdserverpb.Maintenance: status, alarms, checksums, and the hand-over of leadership.

use super::super::door::What;
use super::context::{ClientPort, Need, known, mixed_up, no_answer};
use consensus::{NodeId, Role};
use etcd::error::Known;
use etcd::pb::etcdserverpb as pb;
use etcd::pb::etcdserverpb::maintenance_server::Maintenance;
use etcd::version::SERVER;
use keyspace::{Alarm, AlarmAction, AlarmKind, AlarmRequest, Answer, Command, Query};
use std::sync::Arc;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

/// Maintenance.
#[derive(Clone)]
pub(super) struct MaintenanceService(pub(super) Arc<ClientPort>);

#[tonic::async_trait]
impl Maintenance for MaintenanceService {
    async fn status(&self, request: Request<pb::StatusRequest>) -> Result<Response<pb::StatusResponse>, Status> {
        let port = &self.0;
        port.admit(request.metadata(), Need::Anyone)?;
        let Answer::Status(machine) = port.read(Query::Status, true).await? else { return Err(mixed_up(&Answer::Done)) };
        let status = port.board.status();
        let mut errors = Vec::new();
        if status.leader.is_none() {
            errors.push(Known::NoLeader.text().to_owned());
        }
        errors.extend(machine.alarms.iter().map(|alarm| format!("memberID:{} alarm:{} ", alarm.member, name(alarm.alarm))));
        Ok(Response::new(pb::StatusResponse {
            header: Some(port.header().at(machine.revision)),
            version: SERVER.to_owned(),
            db_size: signed(machine.db_size),
            leader: status.leader.map_or(0, |leader| leader.0),
            raft_index: status.committed.index,
            raft_term: status.epoch,
            raft_applied_index: machine.applied.index,
            errors,
            db_size_in_use: signed(machine.db_size_in_use),
            is_learner: matches!(status.role, Role::Learner { .. }),
            ..pb::StatusResponse::default()
        }))
    }

    async fn alarm(&self, request: Request<pb::AlarmRequest>) -> Result<Response<pb::AlarmResponse>, Status> {
        let port = &self.0;
        port.admit(request.metadata(), Need::Voter)?;
        let request = alarm_request(request.get_ref())?;
        let Answer::Alarm(alarms) = port.ask(What::Write(Command::Alarm(request))).await? else {
            return Err(mixed_up(&Answer::Done));
        };
        let alarms =
            alarms.into_iter().map(|Alarm { alarm, member }| pb::AlarmMember { member_id: member, alarm: kind(alarm).into() });
        let header = Some(port.header().at(port.board.revision()));
        Ok(Response::new(pb::AlarmResponse { header, alarms: alarms.collect() }))
    }

    async fn hash_kv(&self, request: Request<pb::HashKvRequest>) -> Result<Response<pb::HashKvResponse>, Status> {
        let port = &self.0;
        port.admit(request.metadata(), Need::Voter)?;
        let revision = request.get_ref().revision;
        let Answer::HashKv(answer) = port.ask(What::Hash(revision)).await? else {
            return Err(mixed_up(&Answer::Done));
        };
        Ok(Response::new(pb::HashKvResponse {
            header: Some(port.header().at(answer.revision)),
            hash: answer.hash,
            compact_revision: answer.compact_revision,
            ..pb::HashKvResponse::default()
        }))
    }

    /// Answers at once: space that becomes free is used again by itself.
    async fn defragment(&self, request: Request<pb::DefragmentRequest>) -> Result<Response<pb::DefragmentResponse>, Status> {
        self.0.admit(request.metadata(), Need::Voter)?;
        Ok(Response::new(pb::DefragmentResponse::default()))
    }

    /// Of the whole file that a Go member would have (see `etcd::buckets`).
    async fn hash(&self, request: Request<pb::HashRequest>) -> Result<Response<pb::HashResponse>, Status> {
        let port = &self.0;
        port.admit(request.metadata(), Need::Voter)?;
        let Answer::HashKv(answer) = port.ask(What::HashAll).await? else { return Err(mixed_up(&Answer::Done)) };
        Ok(Response::new(pb::HashResponse { header: Some(port.header().at(answer.revision)), hash: answer.hash }))
    }

    async fn snapshot(&self, _: Request<pb::SnapshotRequest>) -> Result<Response<BoxStream<pb::SnapshotResponse>>, Status> {
        Err(Status::unimplemented(
            "Quorate does not serve Maintenance.Snapshot: a snapshot is a bbolt file, which Quorate does not write; docs/operators.md \
             says how to back up, COMPATIBILITY.md what else is served",
        ))
    }

    async fn move_leader(&self, request: Request<pb::MoveLeaderRequest>) -> Result<Response<pb::MoveLeaderResponse>, Status> {
        let port = &self.0;
        port.admit(request.metadata(), Need::Voter)?;
        let target = NodeId(request.get_ref().target_id);
        if port.board.status().role != Role::Leader {
            return Err(known(Known::NotLeader));
        }
        port.door.transfer(Some(target)).await.map_err(|why| no_answer(why, false))?;
        Ok(Response::new(pb::MoveLeaderResponse::default()))
    }
}

fn alarm_request(request: &pb::AlarmRequest) -> Result<AlarmRequest, Status> {
    let action = match request.action {
        0 => AlarmAction::Get,
        1 => AlarmAction::Activate,
        2 => AlarmAction::Deactivate,
        other => return Err(Status::invalid_argument(format!("quorate: there is no alarm action {other}"))),
    };
    let alarm = match request.alarm {
        0 => AlarmKind::None,
        1 => AlarmKind::NoSpace,
        2 => AlarmKind::Corrupt,
        other => return Err(Status::invalid_argument(format!("quorate: there is no alarm {other}"))),
    };
    Ok(AlarmRequest { action, member: request.member_id, alarm })
}

fn kind(alarm: AlarmKind) -> pb::AlarmType {
    match alarm {
        AlarmKind::None => pb::AlarmType::None,
        AlarmKind::NoSpace => pb::AlarmType::Nospace,
        AlarmKind::Corrupt => pb::AlarmType::Corrupt,
    }
}

/// As etcd prints it.
pub(super) fn name(alarm: AlarmKind) -> &'static str {
    match alarm {
        AlarmKind::None => "NONE",
        AlarmKind::NoSpace => "NOSPACE",
        AlarmKind::Corrupt => "CORRUPT",
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
