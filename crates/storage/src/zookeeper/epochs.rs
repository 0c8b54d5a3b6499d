//! The two epochs of a server, each in a file of its own.
//!
//! ```text
//!   acceptedEpoch       the highest epoch that this server agreed to take part in: durable before it says so (ACKEPOCH)
//!   currentEpoch        the epoch whose leader shaped its history: durable before it says so (ACK of NEWLEADER), and after that
//!                       history itself (ZOOKEEPER-3911)
//!   currentEpoch.tmp    the epoch of entries that may be here before currentEpoch says so
//! ```
//!
//! Each holds a decimal number and nothing else, and is replaced as a whole: another file, synced, renamed, its folder synced. Java
//! refuses a server whose last transaction is of a later epoch than currentEpoch, unless currentEpoch.tmp tells of it
//! (QuorumPeer.loadDataBase). A learner may well get transactions of the new epoch before NEWLEADER, so currentEpoch.tmp is made
//! durable before the first of them goes into the log. A crash in between then leaves a folder that Java and Quorate complete: who
//! has a transaction of an epoch has all that came before it, the epoch's whole initial history among it.

use super::folder::{create_anew, path, read_small, sync_folder};
use super::store::OpenError;
use crate::disk::{Disk, DiskFile, fault};
use crate::fault::{Action, Fault};
use consensus::Promise;

const ACCEPTED: &str = "acceptedEpoch";
const CURRENT: &str = "currentEpoch";
const UNFINISHED: &str = ".tmp";

/// The epochs as they are on the disk.
pub(super) struct Epochs<D: Disk> {
    disk: D,
    accepted: u64,
    current: u64,
    /// What currentEpoch.tmp durably says, if it was written by this process.
    announced: u64,
}

impl<D: Disk> Epochs<D> {
    /// Reads the files, creates those that are missing from the epoch of the last transaction held, and completes an update that a
    /// crash interrupted (QuorumPeer.loadDataBase).
    pub(super) fn open(disk: &D, last: u64) -> Result<Epochs<D>, OpenError> {
        let (accepted, current) = (read(disk, ACCEPTED)?, read(disk, CURRENT)?);
        let mut found = current.unwrap_or(last);
        if last > found {
            found = read(disk, &format!("{CURRENT}{UNFINISHED}"))?.filter(|&unfinished| unfinished >= last).unwrap_or(found);
        }
        let mut epochs = Epochs { disk: disk.clone(), accepted: accepted.unwrap_or(last), current: found, announced: 0 };
        if last > found || epochs.accepted < found {
            return Err(OpenError::Epochs { last, current: found, accepted: epochs.accepted });
        }
        if current != Some(found) {
            epochs.replace(CURRENT, found)?;
        }
        if accepted.is_none() {
            let accepted = epochs.accepted;
            epochs.replace(ACCEPTED, accepted)?;
        }
        Ok(epochs)
    }

    /// The epochs as a promise.
    pub(super) fn promise(&self) -> Promise {
        Promise { epoch: self.accepted, current: self.current, ..Promise::default() }
    }

    /// Entries of this epoch are about to be written.
    pub(super) fn announce(&mut self, epoch: u64) -> Result<(), Fault> {
        if epoch > self.current.max(self.announced) {
            self.write(CURRENT, epoch)?;
            sync_folder(&self.disk)?;
            self.announced = epoch;
        }
        Ok(())
    }

    /// Makes a promise durable. The entries before it have to be already.
    pub(super) fn keep(&mut self, promise: &Promise) -> Result<(), Fault> {
        if promise.epoch != self.accepted {
            self.replace(ACCEPTED, promise.epoch)?;
            self.accepted = promise.epoch;
        }
        if promise.current != self.current {
            self.replace(CURRENT, promise.current)?;
            self.current = promise.current;
            self.announced = 0;
        }
        Ok(())
    }

    fn replace(&mut self, name: &str, epoch: u64) -> Result<(), Fault> {
        let unfinished = self.write(name, epoch)?;
        self.disk.rename(&unfinished, &path(name)).map_err(fault(&self.disk, Action::Rename, &unfinished))?;
        sync_folder(&self.disk)
    }

    fn write(&self, name: &str, epoch: u64) -> Result<String, Fault> {
        let unfinished = path(&format!("{name}{UNFINISHED}"));
        let file = create_anew(&self.disk, &unfinished)?;
        file.write_at(0, epoch.to_string().as_bytes()).map_err(fault(&self.disk, Action::Write, &unfinished))?;
        file.sync().map_err(fault(&self.disk, Action::Sync, &unfinished))?;
        Ok(unfinished)
    }
}

fn read<D: Disk>(disk: &D, name: &str) -> Result<Option<u64>, OpenError> {
    let path = path(name);
    let Some(bytes) = read_small(disk, &path, 64)? else { return Ok(None) };
    number(&bytes).map(Some).ok_or_else(|| OpenError::NotANumber { file: disk.describe(&path) })
}

/// The number on the first line. Java writes −1 where it found nothing and nobody said that it may.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    let number: i64 = std::str::from_utf8(bytes).ok()?.lines().next()?.trim().parse().ok()?;
    u64::try_from(number).ok().or_else(|| (number == -1).then_some(0))
}
