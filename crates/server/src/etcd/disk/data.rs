//! The thread for everything on the disk that nobody's sync may wait for: old entries, snapshots of this member, the journal.

use super::super::engine::{self, Machine};
use super::super::error::StopError;
use super::{Alarm, DiskEvent, index};
use bytes::Bytes;
use consensus::{Fetch, Snapshot};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use storage::{Disk, DurableSnapshot, Journal, LogReader, SnapshotReader, SnapshotWriter, Snapshots};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedSender;
use tracing::{info, warn};

/// How many snapshots of its own a member keeps.
const SNAPSHOTS_KEPT: usize = 2;

/// What the data thread is to do, in order.
pub(crate) enum DataCommand<D: Disk> {
    /// Read old entries.
    Fetch(Fetch),
    /// Write a piece of the snapshot that the replica takes.
    Write { snapshot: Snapshot, chunk: Bytes },
    /// That was the last piece.
    Finish(Snapshot),
    /// A peer's snapshot is in force: make a machine of it.
    Restore(DurableSnapshot<D>),
    /// Write a line into the journal. Until then it takes `room`.
    Note { wall_ms: u64, text: String, room: OwnedSemaphorePermit },
}

/// The data thread. It ends, after what it was told to do, when all senders are gone.
pub(crate) struct DataThread<D: Disk> {
    pub(crate) commands: Sender<DataCommand<D>>,
    pub(crate) handle: JoinHandle<()>,
}

impl<D: Disk> DataThread<D> {
    pub(crate) fn start(
        name: &str,
        reader: LogReader<D>,
        snapshots: Snapshots<D>,
        journal: Journal<D>,
        events: UnboundedSender<DiskEvent<D>>,
    ) -> std::io::Result<DataThread<D>> {
        let (commands, received) = channel();
        let mut keeper = Keeper { reader, snapshots, journal, taking: None, events };
        let handle = Builder::new().name(format!("{name}-data")).spawn(move || {
            let _alarm = Alarm(keeper.events.clone());
            if let Err(error) = keeper.run(&received) {
                let _ = keeper.events.send(DiskEvent::Failed(error));
            }
        })?;
        Ok(DataThread { commands, handle })
    }
}

struct Keeper<D: Disk> {
    reader: LogReader<D>,
    snapshots: Snapshots<D>,
    journal: Journal<D>,
    /// The snapshot that the replica takes.
    taking: Option<(Snapshot, SnapshotWriter<D>)>,
    events: UnboundedSender<DiskEvent<D>>,
}

impl<D: Disk> Keeper<D> {
    fn run(&mut self, commands: &Receiver<DataCommand<D>>) -> Result<(), StopError> {
        while let Ok(command) = commands.recv() {
            if let Some(event) = self.carry_out(command)? {
                // A replica that is gone needs no answer.
                let _ = self.events.send(event);
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, command: DataCommand<D>) -> Result<Option<DiskEvent<D>>, StopError> {
        match command {
            DataCommand::Fetch(Fetch { reader, first, last, budget }) => {
                let entries = self.reader.read(first, last, budget)?;
                Ok(Some(DiskEvent::Fetched { reader, entries }))
            }
            DataCommand::Write { snapshot, chunk } => {
                self.writer(snapshot)?.write(&chunk)?;
                Ok(Some(DiskEvent::ChunkWritten))
            }
            DataCommand::Finish(snapshot) => {
                self.writer(snapshot)?;
                let (snapshot, writer) = self.taking.take().expect("the writer was there a moment ago");
                let durable = writer.finish()?.publish()?;
                info!(index = index(&snapshot), "took a snapshot");
                self.snapshots.remove_older(SNAPSHOTS_KEPT)?;
                Ok(Some(DiskEvent::Saved(durable)))
            }
            DataCommand::Restore(durable) => {
                self.taking = None;
                let machine = restore(durable.read()?)?;
                self.snapshots.remove_older(SNAPSHOTS_KEPT)?;
                Ok(Some(DiskEvent::installed(durable, machine)))
            }
            DataCommand::Note { wall_ms, text, room: _room } => {
                // The journal is for people: that it cannot be written is no reason to stop.
                if let Err(fault) = self.journal.append(wall_ms, &text) {
                    warn!(%fault, "could not write to the journal");
                }
                Ok(None)
            }
        }
    }

    /// The writer of `snapshot`; a new one takes the place of another's.
    fn writer(&mut self, snapshot: Snapshot) -> Result<&mut SnapshotWriter<D>, StopError> {
        if self.taking.as_ref().is_none_or(|(taken, _)| *taken != snapshot) {
            self.taking = Some((snapshot.clone(), self.snapshots.take(snapshot)?));
        }
        let (_, writer) = self.taking.as_mut().expect("made a moment ago");
        Ok(writer)
    }
}

/// The machine that a snapshot holds.
pub(crate) fn restore<D: Disk>(mut reader: SnapshotReader<D>) -> Result<Machine, StopError> {
    let mut failed = None;
    let mut chunks = std::iter::from_fn(|| {
        reader.next_chunk().unwrap_or_else(|error| {
            failed = Some(error);
            None
        })
    });
    let machine = engine::restore(&mut chunks);
    if let Some(error) = failed {
        return Err(error.into());
    }
    machine.map_err(|error| StopError::Log(error.to_string()))
}
