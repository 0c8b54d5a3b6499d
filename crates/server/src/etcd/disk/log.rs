//! The thread that writes the log: all that waits is written at once and synced once.

use super::super::metrics::Metrics;
use super::{Alarm, DiskEvent};
use consensus::{Persist, Snapshot, Ticket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;
use storage::{Disk, DurableData, Fault, Log, SealedData};
use tokio::sync::mpsc::UnboundedSender;

/// What the log thread is to do, in order.
pub(crate) enum LogCommand<D: Disk> {
    /// Write and sync these.
    Persist(Vec<Persist>),
    /// What the data file holds may go, up to this index.
    Cut { upto: u64, covered: DurableData },
    /// A peer's snapshot takes the place of data file and log.
    Install { snapshot: Snapshot, sealed: Box<SealedData<D>> },
}

/// The log thread. It ends, after what it was told to do, when all senders are gone.
pub(crate) struct LogThread<D: Disk> {
    pub(crate) commands: Sender<LogCommand<D>>,
    pub(crate) handle: JoinHandle<()>,
}

impl<D: Disk> LogThread<D> {
    /// `lock` keeps other processes out of the folder for as long as the thread may write.
    pub(crate) fn start(
        name: &str,
        log: Log<D>,
        lock: Arc<D::File>,
        events: UnboundedSender<DiskEvent<D>>,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<LogThread<D>> {
        let (commands, received) = channel();
        let mut writer = Writer { log, events, metrics };
        let handle = Builder::new().name(format!("{name}-log")).spawn(move || {
            let (_lock, _alarm) = (lock, Alarm(writer.events.clone()));
            if let Err(fault) = writer.run(&received) {
                let _ = writer.events.send(DiskEvent::Failed(fault.into()));
            }
        })?;
        Ok(LogThread { commands, handle })
    }
}

struct Writer<D: Disk> {
    log: Log<D>,
    events: UnboundedSender<DiskEvent<D>>,
    metrics: Arc<Metrics>,
}

impl<D: Disk> Writer<D> {
    fn run(&mut self, commands: &Receiver<LogCommand<D>>) -> Result<(), Fault> {
        let mut batch = Vec::new();
        while let Ok(command) = commands.recv() {
            let mut next = Some(command);
            while let Some(command) = next {
                match command {
                    LogCommand::Persist(persists) => batch.extend(persists),
                    other => {
                        self.persist(&mut batch)?;
                        self.carry_out(other)?;
                    }
                }
                next = commands.try_recv().ok();
            }
            self.persist(&mut batch)?;
        }
        Ok(())
    }

    fn persist(&mut self, batch: &mut Vec<Persist>) -> Result<(), Fault> {
        let Some(&Persist { ticket, .. }) = batch.last() else { return Ok(()) };
        let start = Instant::now();
        self.log.write(batch)?;
        let written = Instant::now();
        self.log.sync()?;
        self.metrics.log_written(bytes(batch), written - start);
        self.metrics.log_synced(written.elapsed());
        batch.clear();
        self.tell(ticket);
        Ok(())
    }

    fn carry_out(&mut self, command: LogCommand<D>) -> Result<(), Fault> {
        match command {
            LogCommand::Persist(_) => unreachable!("collected by the caller"),
            LogCommand::Cut { upto, covered } => self.log.cut_below(upto, &covered),
            LogCommand::Install { snapshot, sealed } => {
                let machine = Box::new(self.log.install_data(*sealed)?);
                let _ = self.events.send(DiskEvent::Installed { snapshot, machine });
                Ok(())
            }
        }
    }

    fn tell(&self, ticket: Ticket) {
        // A replica that is gone needs no answer.
        let _ = self.events.send(DiskEvent::Persisted(ticket));
    }
}

fn bytes(batch: &[Persist]) -> u64 {
    let entries = batch.iter().filter_map(|persist| persist.append.as_ref()).flat_map(|append| &append.entries);
    entries.map(|entry| entry.data.len() as u64).sum()
}
