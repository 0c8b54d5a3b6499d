//! setData to one ZooKeeper server, one every few milliseconds, none waiting for another. When the server lets its clients go (which all
//! servers do while there is no leader) the client comes back with its session as soon as it is let in.

use super::failover::{Fate, WRITE_EVERY};
use crate::zk::{Connection, Session, Trouble};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use znodes::{Acl, CreateMode, Id, Op, Permissions};
use zookeeper::client::Call;
use zookeeper::opcode;

/// Longer than any election that is waited for.
const SESSION_TIMEOUT: Duration = Duration::from_secs(40);
/// How long a server may take to let a client in, before it is asked again.
const LET_IN_WITHIN: Duration = Duration::from_secs(1);

/// A client of one server.
pub(super) struct Writer {
    server: String,
    session: Session,
    connection: Option<Connection>,
    /// When each write left that has no answer yet, in order.
    under_way: VecDeque<Instant>,
}

impl Writer {
    pub(super) async fn connect(server: &str) -> Result<Writer, String> {
        let told = |trouble| match trouble {
            Trouble::Connection(why) => why,
            Trouble::Refused(code) => format!("{server}: error {code}"),
        };
        let mut connection = Connection::open(server, SESSION_TIMEOUT).await.map_err(told)?;
        let session = connection.session();
        connection.write(create(path(&session))).await.map_err(told)?;
        Ok(Writer { server: server.to_owned(), session, connection: Some(connection), under_way: VecDeque::new() })
    }

    /// Writes until it is aborted.
    pub(super) async fn send(mut self, fates: mpsc::UnboundedSender<Fate>) {
        let mut clock = tokio::time::interval(WRITE_EVERY);
        // While the client is let in nothing is written.
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut out = BytesMut::new();
        for n in 1i32.. {
            let Some(connection) = &mut self.connection else {
                let resumed = Connection::resume(&self.server, &self.session, SESSION_TIMEOUT);
                if let Ok(Ok(connection)) = tokio::time::timeout(LET_IN_WITHIN, resumed).await {
                    self.connection = Some(connection);
                } else {
                    clock.tick().await;
                }
                continue;
            };
            let lost = tokio::select! {
                _ = clock.tick() => {
                    out.clear();
                    let data = Some(Bytes::from(n.to_string()));
                    // Below are the numbers of the client's own first requests.
                    Call::write(n.saturating_add(1000), Op::SetData { path: path(&self.session), data, version: -1 }).encode(&mut out);
                    self.under_way.push_back(Instant::now());
                    connection.send(&out).await.err()
                }
                received = connection.receive() => received.and_then(|()| answered(connection, &mut self.under_way, &fates)).err(),
            };
            if let Some(trouble) = lost {
                self.connection = None;
                let error = match trouble {
                    Trouble::Connection(why) => why,
                    Trouble::Refused(code) => format!("error {code}"),
                };
                for sent in self.under_way.drain(..) {
                    let _ = fates.send(Fate { sent, answered: Instant::now(), error: Some(error.clone()) });
                }
            }
        }
    }
}

/// Tells of the writes whose answers have come.
fn answered(
    connection: &mut Connection,
    under_way: &mut VecDeque<Instant>,
    fates: &mpsc::UnboundedSender<Fate>,
) -> Result<(), Trouble> {
    while let Some(frame) = connection.frame_at_hand()? {
        let Some(sent) = under_way.pop_front() else { return Err(Trouble::Connection("a reply to nothing".to_owned())) };
        // xid, zxid, err
        let code = frame.get(12..16).and_then(|bytes| bytes.try_into().ok()).map_or(-1, i32::from_be_bytes);
        let error = (code != 0).then(|| format!("error {code}"));
        let _ = fates.send(Fate { sent, answered: Instant::now(), error });
    }
    Ok(())
}

fn path(session: &Session) -> String {
    format!("/failover-{:x}", session.id)
}

fn create(path: String) -> Op {
    let anyone = Id { scheme: "world".to_owned(), id: "anyone".to_owned() };
    let acl = vec![Acl { permissions: Permissions::ALL, id: anyone }];
    Op::Create { path, data: Some(Bytes::new()), acl, mode: CreateMode::Persistent { sequential: false }, op: opcode::CREATE }
}
