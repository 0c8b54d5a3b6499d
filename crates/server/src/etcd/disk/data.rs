//! The thread for what no log's sync may wait for: the data file, old entries, the journal.

use super::super::error::StopError;
use super::super::metrics::Metrics;
use super::{Alarm, DiskEvent};
use consensus::Fetch;
use keyspace::{Flush, ReadPages, Want};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;
use storage::{DataFile, Disk, Journal, LogReader, PageReader};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedSender;
use tracing::warn;

/// What the data thread is to do, in order.
pub(crate) enum DataCommand<D: Disk> {
    /// Read old entries.
    Fetch(Fetch),
    /// Write what the machine changed.
    Flush(Flushing<D>),
    /// Read a page of the history.
    ReadPage { reader: PageReader<D>, want: Want },
    /// Write a line into the journal. Until then it takes `room`.
    Note { wall_ms: u64, text: String, room: OwnedSemaphorePermit },
}

/// What the machine changed, and the file that it goes to.
pub(crate) struct Flushing<D: Disk> {
    pub(crate) file: DataFile<D>,
    pub(crate) flush: Flush,
}

/// The data thread. It ends, after what it was told to do, when all senders are gone.
pub(crate) struct DataThread<D: Disk> {
    pub(crate) commands: Sender<DataCommand<D>>,
    pub(crate) handle: JoinHandle<()>,
}

impl<D: Disk> DataThread<D> {
    /// `lock` keeps other processes out of the folder for as long as the thread may write, which may be long after the log's thread
    /// ended: a disk may hang.
    pub(crate) fn start(
        name: &str,
        reader: LogReader<D>,
        journal: Journal<D>,
        lock: Arc<D::File>,
        events: UnboundedSender<DiskEvent<D>>,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<DataThread<D>> {
        let (commands, received) = channel();
        let mut keeper = Keeper { reader, journal, events, metrics };
        let handle = Builder::new().name(format!("{name}-data")).spawn(move || {
            let (_lock, _alarm) = (lock, Alarm(keeper.events.clone()));
            if let Err(error) = keeper.run(&received) {
                let _ = keeper.events.send(DiskEvent::Failed(error));
            }
        })?;
        Ok(DataThread { commands, handle })
    }
}

struct Keeper<D: Disk> {
    reader: LogReader<D>,
    journal: Journal<D>,
    events: UnboundedSender<DiskEvent<D>>,
    metrics: Arc<Metrics>,
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
            DataCommand::Flush(Flushing { file, flush }) => {
                let begun = Instant::now();
                let durable = file.write(&flush)?;
                self.metrics.backend_committed(begun.elapsed());
                Ok(Some(DiskEvent::Flushed(durable)))
            }
            DataCommand::ReadPage { reader, want } => Ok(Some(DiskEvent::Page(reader.read(want)?))),
            DataCommand::Note { wall_ms, text, room: _room } => {
                // The journal is for people: that it cannot be written is no reason to stop.
                if let Err(fault) = self.journal.append(wall_ms, &text) {
                    warn!(%fault, "could not write to the journal");
                }
                Ok(None)
            }
        }
    }
}
