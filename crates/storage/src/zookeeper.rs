//! ZooKeeper's own files, both ways: a folder can go from a Java server to Quorate and back.
//!
//! ```text
//!   dataDir/
//!     myid                          this server's number
//!     initialize                    an operator says that this server may begin empty (only asked for if autocreate is off)
//!     quorate.lock                  held by the process that has the folder open
//!     quorate.journal, ….old        the server's last decisions, in plain text
//!     version-2/
//!       snapshot.<hex zxid>         the tree after that transaction, or a little later (fuzzy)
//!       acceptedEpoch               the highest epoch that this server agreed to take part in
//!       currentEpoch                the epoch whose leader shaped its history
//!       currentEpoch.tmp            what currentEpoch is about to be, if entries of that epoch are here already
//!   dataLogDir/version-2/           (dataDir/version-2 unless configured)
//!       log.<hex zxid>              transactions from that one on
//! ```
//!
//! [`open`] reads all of that and gives back a [`Store`], to be taken apart as that of the crate's root: its [`Log`] goes to the
//! thread that writes, its [`LogReader`]s to whoever fetches old entries, its [`Snapshots`] to whoever takes, sends and receives
//! snapshots. The bytes of a transaction are opaque here but for its zxid.
//!
//! The rules that hold it together:
//!
//! - what [`Log::sync`] returned for is found again after any power failure, or the damage is named, as far as the format can tell
//!   (see [`Log`]);
//! - entries are durable before the epoch that they complete: the log is synced before `currentEpoch` is renamed into place;
//! - a peer's snapshot comes into force together with the entries that followed it, in one order ([`merge`], [`Log::install`]):
//!   the file, its sync, the log cut after it, rename, folder sync, old log files removed. A crash on the way leaves the old state
//!   or the new one, never less than was acknowledged;
//! - a log that does not reach from the newest whole snapshot to the newest of all is refused.

mod epochs;
mod folder;
mod install;
mod log;
mod snapshot;
mod store;

pub use install::{MergeError, merge};
pub use log::{Log, LogError, LogReader};
pub use snapshot::{
    DurableSnapshot, Progress, Receiving, SealedSnapshot, SnapshotError, SnapshotReader, SnapshotWriter, Snapshots,
};
pub use store::{Lock, OpenError, Options, Recovered, Store, Warning, journal_tail, my_id, open};
