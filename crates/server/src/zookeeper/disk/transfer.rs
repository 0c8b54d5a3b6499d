//! Snapshots on their way between the disk and other servers.

use super::super::engine::Tree;
use super::super::error::StopError;
use super::super::quorum::{Arriving, Begin, Leaving};
use super::Restorer;
use bytes::Bytes;
use consensus::Position;
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
    restorer: Restorer,
    /// The one that is here whole and not yet in force.
    arrived: Arc<Mutex<Option<Arrived<D>>>>,
}

/// A leader's snapshot that is here whole, and the tree that it makes: once it is in force it is all that this server has, so a
/// tree is made of it before anything is given up for it.
pub(crate) struct Arrived<D: Disk> {
    pub(crate) sealed: SealedSnapshot<D>,
    pub(crate) tree: Box<Tree>,
}

impl<D: Disk> Snapshotting<D> {
    pub(crate) fn new(snapshots: Snapshots<D>, restorer: Restorer) -> Snapshotting<D> {
        Snapshotting { snapshots, restorer, arrived: Arc::default() }
    }

    /// Takes the snapshot that arrived.
    pub(crate) fn take_arrived(&self) -> Option<Arrived<D>> {
        self.arrived.lock().expect("nobody panics while holding it").take()
    }

    /// How the quorum port begins to receive one.
    pub(crate) fn receiver(&self) -> Begin {
        let (snapshots, restorer, arrived) = (self.snapshots.clone(), self.restorer.clone(), self.arrived.clone());
        Box::new(move |from, position| {
            let (bytes, received) = mpsc::channel(1);
            let (tell, progress) = mpsc::channel(1);
            let (snapshots, restorer, arrived) = (snapshots.clone(), restorer.clone(), arrived.clone());
            spawn_blocking(move || match snapshots.receive(from, position) {
                Ok(receiving) => receive(receiving, &restorer, &arrived, received, &tell),
                Err(fault) => drop(tell.blocking_send(Err(fault.to_string()))),
            });
            Arriving { bytes, progress }
        })
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

/// Writes all pieces, as long as they come.
fn receive<D: Disk>(
    mut receiving: Receiving<D>,
    restorer: &Restorer,
    arrived: &Mutex<Option<Arrived<D>>>,
    mut pieces: mpsc::Receiver<Bytes>,
    tell: &mpsc::Sender<Result<Progress, String>>,
) {
    while let Some(piece) = pieces.blocking_recv() {
        let step = receiving.write(&piece).map_err(|error| error.to_string());
        if step.as_ref().is_ok_and(|progress| progress.whole) {
            let kept = keep(receiving, restorer, arrived).map_err(|error| error.to_string());
            let _ = tell.blocking_send(kept.and(step));
            return;
        }
        let failed = step.is_err();
        if tell.blocking_send(step).is_err() || failed {
            break;
        }
    }
    let _ = receiving.discard();
}

/// Keeps a whole snapshot that makes sense, in place of an earlier one that the member has not asked for.
fn keep<D: Disk>(receiving: Receiving<D>, restorer: &Restorer, arrived: &Mutex<Option<Arrived<D>>>) -> Result<(), StopError> {
    let sealed = receiving.finish()?;
    let tree = match sealed.read() {
        Ok(reader) => restorer.read(reader),
        Err(error) => Err(StopError::Data(error.to_string())),
    };
    let tree = match tree {
        Ok(tree) => Box::new(tree),
        Err(error) => {
            let _ = sealed.discard();
            return Err(error);
        }
    };
    let earlier = arrived.lock().expect("nobody panics while holding it").replace(Arrived { sealed, tree });
    if let Some(earlier) = earlier {
        let _ = earlier.sealed.discard();
    }
    Ok(())
}
