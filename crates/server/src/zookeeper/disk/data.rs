//! The thread for everything on the disk that nobody's sync may wait for: old entries, snapshots, the journal.

use super::super::engine::Tree;
use super::super::error::StopError;
use super::{Alarm, Arrived, DiskEvent, LogCommand};
use bytes::Bytes;
use consensus::{Entry, Fetch, Position, StateMachine};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use storage::zookeeper::{LogReader, SnapshotWriter, Snapshots, merge};
use storage::{Disk, Journal};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedSender;
use tracing::{info, warn};
use zookeeper::{Malformed, txn};

/// What the data thread is to do, in order.
pub(crate) enum DataCommand<D: Disk> {
    /// Read old entries.
    Fetch(Fetch),
    /// Write a piece of the snapshot that this server takes.
    Write { position: Position, chunk: Bytes },
    /// That was the last piece.
    Finish(Position),
    /// Make one snapshot of the leader's and of what followed it, and put it into force.
    Merge { arrived: Arrived<D>, entries: Vec<Entry> },
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
        reader: LogReader<D>,
        snapshots: Snapshots<D>,
        journal: Journal<D>,
        log: Sender<LogCommand<D>>,
        events: UnboundedSender<DiskEvent<D>>,
    ) -> std::io::Result<DataThread<D>> {
        let (commands, received) = channel();
        let mut keeper = Keeper { reader, snapshots, journal, taking: None, log, events };
        let handle = Builder::new().name("data".to_owned()).spawn(move || {
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
    /// The snapshot that this server takes.
    taking: Option<(Position, SnapshotWriter<D>)>,
    log: Sender<LogCommand<D>>,
    events: UnboundedSender<DiskEvent<D>>,
}

impl<D: Disk> Keeper<D> {
    fn run(&mut self, commands: &Receiver<DataCommand<D>>) -> Result<(), StopError> {
        while let Ok(command) = commands.recv() {
            if let Some(event) = self.carry_out(command)? {
                // A member that is gone needs no answer.
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
            DataCommand::Write { position, chunk } => {
                self.writer(position)?.write(&chunk)?;
                Ok(Some(DiskEvent::ChunkWritten))
            }
            DataCommand::Finish(position) => {
                self.writer(position)?;
                let (_, writer) = self.taking.take().expect("the writer was there a moment ago");
                let durable = writer.finish()?.publish()?;
                info!(zxid = format_args!("{:x}", position.zxid()), "took a snapshot");
                Ok(Some(DiskEvent::Saved(durable)))
            }
            DataCommand::Merge { arrived: Arrived { sealed, tree }, entries } => {
                self.taking = None;
                let merged = merge(&self.snapshots, sealed, &entries, |_| Ok(*tree), apply);
                let (sealed, mut tree) = merged.map_err(|error| StopError::Data(error.to_string()))?;
                tree.settle();
                let _ = self.log.send(LogCommand::Install { sealed, tree: Box::new(tree) });
                Ok(None)
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

    /// The writer of the snapshot of `position`; a new one takes the place of another's.
    fn writer(&mut self, position: Position) -> Result<&mut SnapshotWriter<D>, StopError> {
        if self.taking.as_ref().is_none_or(|(taken, _)| *taken != position) {
            self.taking = Some((position, self.snapshots.take(position)?));
        }
        let (_, writer) = self.taking.as_mut().expect("made a moment ago");
        Ok(writer)
    }
}

fn apply(tree: &mut Tree, entry: &Entry) -> Result<(), Malformed> {
    // Nobody is served yet: nobody watches, and nobody waits for an answer.
    let _ = tree.apply(entry.position, txn::decode(&entry.data)?, &mut Vec::new());
    Ok(())
}
