//! Snapshots on their way between the data file and other members.

use super::super::engine::Machine;
use super::super::peer::snapshot::{Arriving, Leaving, Piece, Receiver, Source, Turn};
use super::super::view::Soon;
use bytes::Bytes;
use consensus::{Configuration, NodeId, Snapshot, StateMachine};
use keyspace::Member;
use std::sync::{Arc, Mutex};
use storage::{DataFile, DataFolder, Disk, SealedData};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::spawn_blocking;

/// How many pieces wait between the network and the disk.
const PIECES: usize = 4;
/// About how many bytes a piece has.
const PIECE_BYTES: usize = 64 << 10;

/// The snapshots of other members that arrive here, and this member's that leave.
pub(crate) struct Snapshotting<D: Disk> {
    folder: DataFolder<D>,
    /// What snapshots are made of.
    file: Mutex<DataFile<D>>,
    /// The one that is here whole and not yet in force.
    arrived: Arc<Mutex<Option<Arrived<D>>>>,
    /// One at a time arrives or waits for the replica: each takes a machine's memory and the disk's room.
    arriving: Arc<Semaphore>,
}

/// A snapshot that is here whole: what it was said to stand for, and the data file that it became.
type Arrived<D> = (Snapshot, SealedData<D>);

impl<D: Disk> Snapshotting<D> {
    pub(crate) fn new(folder: DataFolder<D>, file: DataFile<D>) -> Snapshotting<D> {
        Snapshotting { folder, file: Mutex::new(file), arrived: Arc::default(), arriving: Arc::new(Semaphore::new(1)) }
    }

    /// Takes the snapshot that arrived.
    pub(crate) fn take_arrived(&self) -> Option<Arrived<D>> {
        self.arrived.lock().expect("nobody panics while holding it").take()
    }

    /// From now on this is the member's data file.
    pub(crate) fn set_file(&self, file: DataFile<D>) {
        *self.file.lock().expect("nobody panics while holding it") = file;
    }
}

impl<D: Disk> Receiver for Snapshotting<D> {
    fn begin(&self, from: NodeId, snapshot: Snapshot) -> Result<Arriving, String> {
        let turn = self.arriving.clone().try_acquire_owned().map_err(|_| "another one is arriving".to_owned())?;
        let (pieces, mut received) = mpsc::channel(PIECES);
        let (tell, sealed) = oneshot::channel();
        let (arrived, folder) = (self.arrived.clone(), self.folder.clone());
        spawn_blocking(move || {
            let Some(result) = write(&folder, from, &snapshot, &mut received) else { return };
            let result = result.map(|sealed| {
                // One that is still here was never announced: whoever brought it went away, and gave back its turn.
                let earlier = arrived.lock().expect("nobody panics while holding it").replace((snapshot, sealed));
                if let Some((_, earlier)) = earlier {
                    let _ = earlier.discard();
                }
                Turn(turn)
            });
            let _ = tell.send(result);
        });
        Ok(Arriving { pieces, sealed })
    }
}

/// Writes all pieces; `None` if they stopped coming.
fn write<D: Disk>(
    folder: &DataFolder<D>,
    from: NodeId,
    snapshot: &Snapshot,
    pieces: &mut mpsc::Receiver<Piece>,
) -> Option<Result<SealedData<D>, String>> {
    let (mut ended, mut gone) = (false, false);
    let mut chunks = std::iter::from_fn(|| match pieces.blocking_recv() {
        Some(Piece::Content(chunk)) => Some(chunk),
        Some(Piece::End) => {
            ended = true;
            None
        }
        None => {
            gone = true;
            None
        }
    });
    let received = folder.receive(&format!("from-{from}"), &mut chunks);
    let sealed = match received {
        Ok(sealed) => sealed,
        Err(_) if gone => return None,
        Err(why) => return Some(Err(why.to_string())),
    };
    let sense = if ended { check(snapshot, sealed.machine()) } else { Err("there is more than a snapshot".to_owned()) };
    match sense {
        Ok(()) => Some(Ok(sealed)),
        Err(why) => {
            let _ = sealed.discard();
            if gone { None } else { Some(Err(why)) }
        }
    }
}

/// Whether a snapshot holds what its message says.
fn check<D: Disk>(snapshot: &Snapshot, machine: &Machine<D>) -> Result<(), String> {
    let (said, held) = (snapshot.position, machine.applied());
    if said != held {
        return Err(format!("it is said to end at {said}, and ends at {held}"));
    }
    let held = configuration(machine.members());
    if snapshot.configuration == held { Ok(()) } else { Err("its members are not those that are said".to_owned()) }
}

fn configuration<'a>(members: impl Iterator<Item = &'a Member>) -> Configuration {
    let (learners, voters): (Vec<&Member>, Vec<&Member>) = members.partition(|member| member.is_learner);
    let ids = |members: Vec<&Member>| members.into_iter().map(|member| NodeId(member.id)).collect();
    Configuration { voters: ids(voters), learners: ids(learners), hierarchy: None }
}

impl<D: Disk> Source for Snapshotting<D> {
    fn open(&self) -> Soon<'static, Result<Leaving, String>> {
        let file = self.file.lock().expect("nobody panics while holding it").clone();
        Box::pin(async move { spawn_blocking(move || open(&file)).await.map_err(|error| error.to_string())? })
    }
}

/// A snapshot of what the data file holds now. As long as it is on its way, the file keeps what it refers to.
fn open<D: Disk>(file: &DataFile<D>) -> Result<Leaving, String> {
    let mut stream = file.stream().map_err(|error| error.to_string())?;
    let head = stream.head();
    if head.members.is_empty() {
        return Err("there is no snapshot to send".to_owned());
    }
    let snapshot = Snapshot { position: head.applied, configuration: configuration(head.members.iter()) };
    let (feed, pieces) = mpsc::channel(PIECES);
    let leaving = Leaving { snapshot, bytes: stream.content_bytes(), pieces };
    spawn_blocking(move || {
        while let Some(piece) = stream.next_chunk(PIECE_BYTES).transpose() {
            let failed = piece.is_err();
            let piece: Result<Bytes, String> = piece.map_err(|error| error.to_string());
            if feed.blocking_send(piece).is_err() || failed {
                return;
            }
        }
    });
    Ok(leaving)
}

#[cfg(test)]
mod tests {
    use super::*;
    use consensus::{Position, Promise};
    use keyspace::{Keyspace, MemoryValues};
    use storage::{DataOptions, Identity, LogOptions, OpenedKeyspace, RealDisk, open_keyspace};

    /// A snapshot of nothing, sent whole.
    async fn arrive(snapshotting: &Snapshotting<RealDisk>) -> Result<Turn, String> {
        let empty = Snapshot { position: Position::ZERO, configuration: Configuration::default() };
        let mut machine = Keyspace::<MemoryValues>::new();
        let mut cursor = machine.begin_snapshot();
        let Arriving { pieces, sealed } = snapshotting.begin(NodeId(7), empty)?;
        while let Some(chunk) = machine.snapshot_chunk(&mut cursor, 100) {
            pieces.send(Piece::Content(chunk)).await.unwrap();
        }
        machine.end_snapshot(cursor);
        pieces.send(Piece::End).await.unwrap();
        sealed.await.unwrap()
    }

    #[tokio::test]
    async fn no_snapshot_takes_the_place_of_one_that_the_replica_was_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let opened = open_keyspace(RealDisk::new(folder.path()), LogOptions::default(), DataOptions::default());
        let Ok(OpenedKeyspace::Blank(blank)) = opened else { panic!("a blank folder") };
        let identity = Identity::of(1, NodeId(2));
        let store = blank.create_keyspace(identity, Promise::default(), Vec::new(), DataOptions::default()).unwrap();
        let snapshotting = Snapshotting::new(store.folder, store.machine.values().file().clone());

        let turn = arrive(&snapshotting).await.unwrap();
        assert_eq!(arrive(&snapshotting).await.unwrap_err(), "another one is arriving");
        assert!(snapshotting.take_arrived().is_some());
        drop(turn);
        // Nobody is told of this one, and it is in nobody's way.
        drop(arrive(&snapshotting).await.unwrap());
        let _turn = arrive(&snapshotting).await.unwrap();
        assert!(snapshotting.take_arrived().is_some());
        assert!(snapshotting.take_arrived().is_none());
    }
}
