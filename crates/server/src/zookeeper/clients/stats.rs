//! What `cons` tells of a connection (Java: `ServerCnxn`).

use consensus::Instant;
use std::time::{SystemTime, UNIX_EPOCH};

/// Counts of one connection.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionStats {
    /// Milliseconds since 1970 when it was established.
    pub(crate) established: u64,
    /// Packets received and sent.
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// The last operation that was answered, in four letters or so.
    pub(crate) last_operation: &'static str,
    /// Its number; −1: none yet.
    pub(crate) last_xid: i64,
    /// The zxid it was answered with.
    pub(crate) last_zxid: i64,
    /// When, in milliseconds of this server's clock.
    pub(crate) last_response: u64,
    /// How long it took, in milliseconds.
    pub(crate) last_latency: u64,
    least_latency: u64,
    greatest_latency: u64,
    latencies: u64,
    answered: u64,
}

impl ConnectionStats {
    pub(super) fn new() -> ConnectionStats {
        let established = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        ConnectionStats {
            established: u64::try_from(established).unwrap_or(u64::MAX),
            received: 0,
            sent: 0,
            last_operation: "NA",
            last_xid: -1,
            last_zxid: -1,
            last_response: 0,
            last_latency: 0,
            least_latency: u64::MAX,
            greatest_latency: 0,
            latencies: 0,
            answered: 0,
        }
    }

    /// An operation was answered.
    pub(super) fn answered(&mut self, operation: &'static str, xid: i32, zxid: i64, since: Instant, now: Instant) -> u64 {
        let latency = now.since(since).as_nanos() as u64 / 1_000_000;
        // Pings and the like are not what anybody wants to know of.
        if xid >= 0 {
            self.last_xid = xid.into();
        }
        self.last_zxid = zxid;
        self.last_operation = operation;
        self.last_response = now.as_nanos() / 1_000_000;
        self.last_latency = latency;
        self.least_latency = self.least_latency.min(latency);
        self.greatest_latency = self.greatest_latency.max(latency);
        self.latencies += latency;
        self.answered += 1;
        latency
    }

    /// Begins anew, as `crst` wants it.
    pub(super) fn reset(&mut self) {
        *self = ConnectionStats { established: self.established, ..ConnectionStats::new() };
    }

    pub(crate) fn least_latency(&self) -> u64 {
        if self.answered == 0 { 0 } else { self.least_latency }
    }

    pub(crate) fn mean_latency(&self) -> u64 {
        self.latencies.checked_div(self.answered).unwrap_or(0)
    }

    pub(crate) fn greatest_latency(&self) -> u64 {
        self.greatest_latency
    }
}

/// What an operation is called there (Java: `FinalRequestProcessor.processRequest`).
pub(super) fn short_name(op: i32) -> &'static str {
    use zookeeper::opcode;
    match op {
        opcode::PING => "PING",
        opcode::CREATE_SESSION => "SESS",
        opcode::MULTI => "MULT",
        opcode::MULTI_READ => "MLTR",
        opcode::CREATE | opcode::CREATE2 | opcode::CREATE_TTL | opcode::CREATE_CONTAINER => "CREA",
        opcode::DELETE | opcode::DELETE_CONTAINER => "DELE",
        opcode::SET_DATA => "SETD",
        opcode::RECONFIG => "RECO",
        opcode::SET_ACL => "SETA",
        opcode::CLOSE_SESSION => "CLOS",
        opcode::SYNC => "SYNC",
        opcode::CHECK => "CHEC",
        opcode::EXISTS => "EXIS",
        opcode::GET_DATA => "GETD",
        opcode::SET_WATCHES => "SETW",
        opcode::SET_WATCHES2 => "STW2",
        opcode::ADD_WATCH => "ADDW",
        opcode::GET_ACL => "GETA",
        opcode::GET_CHILDREN | opcode::GET_CHILDREN2 => "GETC",
        opcode::GET_ALL_CHILDREN_NUMBER => "GETACN",
        opcode::CHECK_WATCHES => "CHKW",
        opcode::REMOVE_WATCHES => "REMW",
        opcode::WHO_AM_I => "HOMI",
        opcode::GET_EPHEMERALS => "GETE",
        _ => "NA",
    }
}
