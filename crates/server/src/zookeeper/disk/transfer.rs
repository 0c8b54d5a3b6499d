//! Snapshots on their way between the disk and other servers.

use super::super::quorum::{Arriving, Begin, Leaving};
use bytes::Bytes;
use consensus::{NodeId, Position};
use std::sync::{Arc, Mutex};
use storage::Disk;
use storage::zookeeper::{Progress, Receiving, SealedSnapshot, Snapshots};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use zookeeper::quorum::snapshot::signature;

/// How many pieces wait between the network and the disk.
const PIECES: usize = 4;

/// The snapshots of other servers that arrive here, and this server's that leave.
pub(crate) struct Snapshotting<D: Disk> {
    snapshots: Snapshots<D>,
    /// The one that is here whole and not yet in force.
    arrived: Arc<Mutex<Option<SealedSnapshot<D>>>>,
}

impl<D: Disk> Snapshotting<D> {
    pub(crate) fn new(snapshots: Snapshots<D>) -> Snapshotting<D> {
        Snapshotting { snapshots, arrived: Arc::default() }
    }

    /// Takes the snapshot that arrived.
    pub(crate) fn take_arrived(&self) -> Option<SealedSnapshot<D>> {
        self.arrived.lock().expect("nobody panics while holding it").take()
    }

    /// How the quorum port begins to receive one.
    pub(crate) fn receiver(&self) -> Begin {
        let (snapshots, arrived) = (self.snapshots.clone(), self.arrived.clone());
        Box::new(move |from, position| begin(snapshots.clone(), arrived.clone(), from, position))
    }

    /// The snapshot of `position`, as it goes to a learner: its body, and the words that end the transfer.
    pub(crate) fn send(&self, position: Position) -> Leaving {
        let (feed, pieces) = mpsc::channel(PIECES);
        let snapshots = self.snapshots.clone();
        spawn_blocking(move || {
            if let Err(why) = read(&snapshots, position, &feed) {
                let _ = feed.blocking_send(Err(why));
            }
        });
        Leaving { pieces }
    }
}

fn read<D: Disk>(snapshots: &Snapshots<D>, position: Position, feed: &mpsc::Sender<Result<Bytes, String>>) -> Result<(), String> {
    let mut reader = snapshots.open_for_sending(position).map_err(|error| error.to_string())?;
    while let Some(piece) = reader.next_chunk().map_err(|error| error.to_string())? {
        if feed.blocking_send(Ok(piece)).is_err() {
            return Ok(());
        }
    }
    // Only now is known that all of it was right.
    let _ = feed.blocking_send(Ok(signature()));
    Ok(())
}

fn begin<D: Disk>(
    snapshots: Snapshots<D>,
    arrived: Arc<Mutex<Option<SealedSnapshot<D>>>>,
    from: NodeId,
    position: Position,
) -> Arriving {
    let (bytes, mut received) = mpsc::channel(1);
    let (tell, progress) = mpsc::channel(1);
    spawn_blocking(move || {
        let mut receiving = match snapshots.receive(from, position) {
            Ok(receiving) => receiving,
            Err(fault) => return drop(tell.blocking_send(Err(fault.to_string()))),
        };
        while let Some(piece) = received.blocking_recv() {
            let step = write(&mut receiving, &piece);
            let whole = step.as_ref().is_ok_and(|progress| progress.whole);
            if whole {
                let sealed = receiving.finish().map(|sealed| {
                    // A later one takes the place of one that the member has not asked for.
                    let earlier = arrived.lock().expect("nobody panics while holding it").replace(sealed);
                    if let Some(earlier) = earlier {
                        let _ = earlier.discard();
                    }
                });
                let _ = tell.blocking_send(sealed.map_err(|fault| fault.to_string()).and(step));
                return;
            }
            if step.is_err() || tell.blocking_send(step).is_err() {
                break;
            }
        }
        let _ = receiving.discard();
    });
    Arriving { bytes, progress }
}

fn write<D: Disk>(receiving: &mut Receiving<D>, piece: &Bytes) -> Result<Progress, String> {
    receiving.write(piece).map_err(|error| error.to_string())
}
