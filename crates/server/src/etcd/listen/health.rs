//! Whether this member, and the cluster with it, is well.

use super::context::ClientPort;
use super::maintenance::name;
use bytes::Bytes;
use etcd::health::{DATA_CORRUPTION, LINEARIZABLE_READ, SERIALIZABLE_READ};
use etcd::json::Health;
use keyspace::{AlarmKind, Answer, Query, RangeRequest};
use tonic::Status;

/// A part of a health check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Check {
    /// No CORRUPT alarm.
    DataCorruption,
    /// This member answers from its own state.
    SerializableRead,
    /// A quorum confirms what it answers.
    LinearizableRead,
}

/// The parts of `/livez`: is this process of any use?
pub(super) const LIVE: [Check; 1] = [Check::SerializableRead];
/// The parts of `/readyz`: should clients be sent here?
pub(super) const READY: [Check; 3] = [Check::DataCorruption, Check::SerializableRead, Check::LinearizableRead];

impl Check {
    /// Its name in paths and answers.
    pub(super) fn name(self) -> &'static str {
        match self {
            Check::DataCorruption => DATA_CORRUPTION,
            Check::SerializableRead => SERIALIZABLE_READ,
            Check::LinearizableRead => LINEARIZABLE_READ,
        }
    }

    /// Ok, or what is wrong.
    pub(super) async fn run(self, port: &ClientPort) -> Result<(), String> {
        match self {
            Check::DataCorruption => match alarms(port).await {
                Ok(alarms) if alarms.contains(&AlarmKind::Corrupt) => Err("alarm activated: CORRUPT".to_owned()),
                Ok(_) => Ok(()),
                Err(status) => Err(status.message().to_owned()),
            },
            Check::SerializableRead => read(port, true).await,
            Check::LinearizableRead => read(port, false).await,
        }
    }
}

/// `/health`.
pub(super) async fn is_well(port: &ClientPort, excluded: &[&str], serializable: bool) -> Health {
    match alarms(port).await {
        Ok(alarms) => {
            if let Some(alarm) = alarms.into_iter().find(|&alarm| !excluded.contains(&name(alarm))) {
                return Health::unwell(format!("ALARM {}", name(alarm)));
            }
        }
        Err(status) => return Health::unwell(format!("RANGE ERROR:{}", status.message())),
    }
    if !serializable && port.board.status().leader.is_none() {
        return Health::unwell("RAFT NO LEADER");
    }
    match read(port, serializable).await {
        Ok(()) => Health::well(),
        Err(why) => Health::unwell(format!("RANGE ERROR:{why}")),
    }
}

async fn alarms(port: &ClientPort) -> Result<Vec<AlarmKind>, Status> {
    match port.read(Query::Status, true).await? {
        Answer::Status(status) => Ok(status.alarms.into_iter().map(|alarm| alarm.alarm).collect()),
        _ => Ok(Vec::new()),
    }
}

/// Any read will do: that of a key which nobody has.
async fn read(port: &ClientPort, here: bool) -> Result<(), String> {
    let request = RangeRequest { key: Bytes::from_static(b"\0"), keys_only: true, limit: 1, ..RangeRequest::default() };
    port.read(Query::Range(request), here).await.map(drop).map_err(|status| status.message().to_owned())
}
