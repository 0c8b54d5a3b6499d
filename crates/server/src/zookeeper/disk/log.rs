//! The thread that writes the log: all that waits is written at once and synced once.

use super::super::engine::Tree;
use super::{Alarm, DiskEvent};
use consensus::Persist;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use storage::zookeeper::{DurableSnapshot, Lock, Log, SealedSnapshot};
use storage::{Disk, Fault};
use tokio::sync::mpsc::UnboundedSender;

/// What the log thread is to do, in order.
pub(crate) enum LogCommand<D: Disk> {
    /// Write and sync these.
    Persist(Vec<Persist>),
    /// A snapshot is durable: begin a new file, and let go what nobody needs.
    Cut(DurableSnapshot<D>),
    /// What was made of a leader's snapshot takes the place of the log. `tree` is what it holds.
    Install { sealed: SealedSnapshot<D>, tree: Box<Tree> },
}

/// The log thread. It ends, after what it was told to do, when all senders are gone.
pub(crate) struct LogThread<D: Disk> {
    pub(crate) commands: Sender<LogCommand<D>>,
    pub(crate) handle: JoinHandle<()>,
}

impl<D: Disk> LogThread<D> {
    /// `lock` keeps other processes out of the folder for as long as the thread may write.
    pub(crate) fn start(log: Log<D>, lock: Lock<D>, events: UnboundedSender<DiskEvent<D>>) -> std::io::Result<LogThread<D>> {
        let (commands, received) = channel();
        let mut writer = Writer { log, events };
        let handle = Builder::new().name("log".to_owned()).spawn(move || {
            let (_lock, _alarm) = (lock, Alarm(writer.events.clone()));
            if let Err(fault) = writer.run(&received) {
                let _ = writer.events.send(DiskEvent::Failed(fault.into()));
            } else if let Err(fault) = writer.log.close() {
                tracing::error!(%fault, "the log could not be closed");
            }
        })?;
        Ok(LogThread { commands, handle })
    }
}

struct Writer<D: Disk> {
    log: Log<D>,
    events: UnboundedSender<DiskEvent<D>>,
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
        let count = batch.len();
        self.log.write(batch)?;
        let begun = std::time::Instant::now();
        self.log.sync()?;
        batch.clear();
        self.tell(DiskEvent::Persisted { ticket, took: begun.elapsed(), count });
        Ok(())
    }

    fn carry_out(&mut self, command: LogCommand<D>) -> Result<(), Fault> {
        match command {
            LogCommand::Persist(_) => unreachable!("collected by the caller"),
            LogCommand::Cut(covered) => self.log.cut(&covered),
            LogCommand::Install { sealed, tree } => {
                let durable = self.log.install(sealed)?;
                self.tell(DiskEvent::Installed { position: durable.position(), tree });
                Ok(())
            }
        }
    }

    fn tell(&self, event: DiskEvent<D>) {
        // A member that is gone needs no answer.
        let _ = self.events.send(event);
    }
}
