//! Snapshots on their way between the disk and other members.

use super::super::engine::{self, Machine};
use super::super::peer::snapshot::{Arriving, Leaving, Piece, Receiver, Source};
use super::super::view::Soon;
use bytes::Bytes;
use consensus::{Configuration, NodeId, Snapshot, StateMachine};
use std::sync::{Arc, Mutex};
use storage::{Disk, SealedSnapshot, SnapshotWriter, Snapshots};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::spawn_blocking;

/// How many pieces wait between the network and the disk.
const PIECES: usize = 4;

/// The snapshots of other members that arrive here, and this member's that leave.
pub(crate) struct Snapshotting<D: Disk> {
    snapshots: Snapshots<D>,
    /// The one that is here whole and not yet in force.
    arrived: Arc<Mutex<Option<SealedSnapshot<D>>>>,
    /// One arrives at a time: each takes a machine's memory and the disk's room.
    arriving: Arc<Semaphore>,
}

impl<D: Disk> Snapshotting<D> {
    pub(crate) fn new(snapshots: Snapshots<D>) -> Snapshotting<D> {
        Snapshotting { snapshots, arrived: Arc::default(), arriving: Arc::new(Semaphore::new(1)) }
    }

    /// Takes the snapshot that arrived.
    pub(crate) fn take_arrived(&self) -> Option<SealedSnapshot<D>> {
        self.arrived.lock().expect("nobody panics while holding it").take()
    }
}

impl<D: Disk> Receiver for Snapshotting<D> {
    fn begin(&self, from: NodeId, snapshot: Snapshot) -> Result<Arriving, String> {
        let turn = self.arriving.clone().try_acquire_owned().map_err(|_| "another one is arriving".to_owned())?;
        let writer = self.snapshots.receive(from, snapshot).map_err(|fault| fault.to_string())?;
        let (pieces, mut received) = mpsc::channel(PIECES);
        let (tell, sealed) = oneshot::channel();
        let arrived = self.arrived.clone();
        spawn_blocking(move || {
            let _turn = turn;
            let Some(result) = write(writer, &mut received) else { return };
            let result = result.map(|sealed| {
                // A later one takes the place of one that the replica has not asked for.
                let earlier = arrived.lock().expect("nobody panics while holding it").replace(sealed);
                if let Some(earlier) = earlier {
                    let _ = earlier.discard();
                }
            });
            let _ = tell.send(result);
        });
        Ok(Arriving { pieces, sealed })
    }
}

/// Writes all pieces; `None` if they stopped coming.
///
/// A machine is made of them on their way, only to see that one can be: once installed, a snapshot is all that this member has, and
/// its checksums say nothing about its sense.
fn write<D: Disk>(
    mut writer: SnapshotWriter<D>,
    pieces: &mut mpsc::Receiver<Piece>,
) -> Option<Result<SealedSnapshot<D>, String>> {
    let (mut ended, mut gone, mut fault) = (false, false, None);
    let mut chunks = std::iter::from_fn(|| match pieces.blocking_recv() {
        Some(Piece::Content(chunk)) => match writer.write(&chunk) {
            Ok(()) => Some(chunk),
            Err(why) => {
                fault = Some(why);
                None
            }
        },
        Some(Piece::End) => {
            ended = true;
            None
        }
        None => {
            gone = true;
            None
        }
    });
    let machine = engine::restore(&mut chunks);
    if gone {
        let _ = writer.discard();
        return None;
    }
    let sense = match (fault, machine) {
        (Some(fault), _) => Err(fault.to_string()),
        (None, Err(error)) => Err(error.to_string()),
        (None, Ok(machine)) if ended => check(writer.snapshot(), &machine),
        (None, Ok(_)) => Err("there is more than a snapshot".to_owned()),
    };
    if let Err(why) = sense {
        let _ = writer.discard();
        return Some(Err(why));
    }
    Some(writer.finish().map_err(|fault| fault.to_string()))
}

/// Whether a snapshot holds what its message says.
fn check(snapshot: &Snapshot, machine: &Machine) -> Result<(), String> {
    let (said, held) = (snapshot.position, machine.applied());
    if said != held {
        return Err(format!("it is said to end at {said}, and ends at {held}"));
    }
    let ids =
        |learners: bool| machine.members().filter(move |member| member.is_learner == learners).map(|member| NodeId(member.id));
    let held = Configuration { voters: ids(false).collect(), learners: ids(true).collect(), hierarchy: None };
    if snapshot.configuration == held { Ok(()) } else { Err("its members are not those that are said".to_owned()) }
}

impl<D: Disk> Source for Snapshotting<D> {
    fn open(&self) -> Soon<'static, Result<Leaving, String>> {
        let snapshots = self.snapshots.clone();
        Box::pin(async move { spawn_blocking(move || open(&snapshots)).await.map_err(|error| error.to_string())? })
    }
}

fn open<D: Disk>(snapshots: &Snapshots<D>) -> Result<Leaving, String> {
    let newest = snapshots.newest().map_err(|error| error.to_string())?.ok_or("there is no snapshot to send")?;
    let mut reader = newest.read().map_err(|error| error.to_string())?;
    let (feed, pieces) = mpsc::channel(PIECES);
    let leaving = Leaving { snapshot: newest.snapshot().clone(), bytes: reader.content_bytes(), pieces };
    spawn_blocking(move || {
        while let Some(piece) = reader.next_chunk().transpose() {
            let failed = piece.is_err();
            let piece: Result<Bytes, String> = piece.map_err(|error| error.to_string());
            if feed.blocking_send(piece).is_err() || failed {
                return;
            }
        }
    });
    Ok(leaving)
}
