//! The two epochs of a server, each in a file of its own.
//!
//! ```text
//!   acceptedEpoch       the highest epoch that this server agreed to take part in: durable before it says so (ACKEPOCH)
//!   currentEpoch        the epoch whose leader shaped its history: durable before it says so (ACK of NEWLEADER), and after that
//!                       history itself (ZOOKEEPER-3911)
//!   currentEpoch.tmp    the epoch of entries that may be here before currentEpoch says so
//! ```
//!
//! Each holds a decimal number and nothing else, and is replaced as a whole: another file, synced, renamed, its folder synced. (So is
//! currentEpoch.tmp itself, which Java writes in place: it may be needed at any moment.) Java refuses a server whose last transaction is of a later epoch than currentEpoch, unless currentEpoch.tmp tells of it
//! (QuorumPeer.loadDataBase). A learner may well get transactions of the new epoch before NEWLEADER, so currentEpoch.tmp is made
//! durable before the first of them goes into the log. A crash in between then leaves a folder that Java and Quorate complete: who
//! has a transaction of an epoch has all that came before it, the epoch's whole initial history among it.

use super::folder::{create_anew, path, read_small, remove, sync_folder, unfinished};
use super::store::OpenError;
use crate::disk::{Disk, DiskFile, fault};
use crate::fault::{Action, Fault};
use consensus::Promise;

const ACCEPTED: &str = "acceptedEpoch";
const CURRENT: &str = "currentEpoch";
const ANNOUNCED: &str = "currentEpoch.tmp";

/// The epochs as they are on the disk.
pub(super) struct Epochs<D: Disk> {
    disk: D,
    accepted: u64,
    current: u64,
    /// What currentEpoch.tmp says, if it is there.
    announced: Option<u64>,
}

impl<D: Disk> Epochs<D> {
    /// Reads the files, creates those that are missing from the epoch of the last transaction held, and completes an update that a
    /// crash interrupted (QuorumPeer.loadDataBase).
    pub(super) fn open(disk: &D, last: u64) -> Result<Epochs<D>, OpenError> {
        let (accepted, current) = (read(disk, ACCEPTED)?, read(disk, CURRENT)?);
        let mut found = current.unwrap_or(last);
        let announced = read(disk, ANNOUNCED)?;
        if last > found && announced.is_some_and(|announced| announced >= last) {
            // The epoch of what is here, not that of what may have been about to follow: that did not make it.
            found = last;
        }
        let mut epochs = Epochs { disk: disk.clone(), accepted: accepted.unwrap_or(last), current: found, announced };
        if last > found || epochs.accepted < found {
            return Err(OpenError::Epochs { last, current: found, accepted: epochs.accepted });
        }
        if current != Some(found) || announced.is_some() {
            epochs.complete(found)?;
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

    /// What currentEpoch says.
    pub(super) fn current(&self) -> u64 {
        self.current
    }

    /// Entries of this epoch are here, durably, and with them all that its leader began with: it may be the current one.
    pub(super) fn complete(&mut self, epoch: u64) -> Result<(), Fault> {
        self.replace(CURRENT, epoch)?;
        self.current = epoch;
        if self.announced.take().is_some() {
            remove(&self.disk, &path(ANNOUNCED))?;
        }
        Ok(())
    }

    /// Entries of this epoch are about to be written.
    pub(super) fn announce(&mut self, epoch: u64) -> Result<(), Fault> {
        if epoch > self.current && self.announced != Some(epoch) {
            self.replace(ANNOUNCED, epoch)?;
            self.announced = Some(epoch);
        }
        Ok(())
    }

    /// Makes a promise durable. The entries are already, the last of which is of epoch `last`.
    pub(super) fn keep(&mut self, promise: &Promise, last: u64) -> Result<(), Fault> {
        if promise.epoch != self.accepted {
            self.replace(ACCEPTED, promise.epoch)?;
            self.accepted = promise.epoch;
        }
        // What the disk says may be ahead of what was promised, if it was completed here.
        if promise.current <= self.current {
            return Ok(());
        }
        // This uses up what was announced of later entries, so they count, too.
        self.complete(promise.current.max(last))
    }

    fn replace(&mut self, name: &str, epoch: u64) -> Result<(), Fault> {
        let aside = unfinished("epoch");
        let file = create_anew(&self.disk, &aside)?;
        file.write_at(0, epoch.to_string().as_bytes()).map_err(fault(&self.disk, Action::Write, &aside))?;
        file.sync().map_err(fault(&self.disk, Action::Sync, &aside))?;
        self.disk.rename(&aside, &path(name)).map_err(fault(&self.disk, Action::Rename, &aside))?;
        sync_folder(&self.disk)
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
