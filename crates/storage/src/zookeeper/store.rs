//! A server's folders as a whole.

use super::log::{Log, LogError};
use super::snapshot::{DurableSnapshot, SnapshotError, Snapshots};
use crate::disk::Disk;
use crate::fault::Fault;
use crate::journal::Journal;
use bytes::Bytes;
use consensus::{Entry, Position, Promise};
use std::fmt;

/// How the files are laid out and what may be trusted. Each start may choose anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// A log file grows by so many bytes at a time (`preAllocSize`). They read as zeros. 64 MiB.
    pub preallocate_bytes: u64,
    /// Zeros are really written so many bytes ahead, so that most syncs have no metadata to write. 512 KiB.
    pub step_bytes: u64,
    /// More than this is never left unsynced, but for a single entry: what lies further behind a broken record than this tells
    /// that the record was durable. 1 MiB.
    pub batch_bytes: usize,
    /// At most so many bytes of the newest entries are handed over at the start. 16 MiB.
    pub tail_bytes: usize,
    /// How many snapshots are kept, with the logs that they need (`autopurge.snapRetainCount`). `None`: all. 3.
    pub snapshots_kept: Option<usize>,
    /// An empty folder may be a new server's (`zookeeper.db.autocreate`). Otherwise a file `initialize` has to say so. On.
    pub autocreate: bool,
    /// A log without any snapshot is taken for a server's whole history (`zookeeper.snapshot.trust.empty`). Off.
    pub trust_empty_snapshot: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            preallocate_bytes: 64 << 20,
            step_bytes: 512 << 10,
            batch_bytes: 1 << 20,
            tail_bytes: 16 << 20,
            snapshots_kept: Some(3),
            autocreate: true,
            trust_empty_snapshot: false,
        }
    }
}

/// What a server was found to hold: everything of it is synced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovered {
    /// acceptedEpoch (`epoch`) and currentEpoch (`current`).
    pub promise: Promise,
    /// The last transaction held, be it in the log or only in the newest snapshot.
    pub last: Position,
    /// What the newest snapshot stands for; zero for the first one of a new server.
    pub snapshot: Position,
    /// What the log begins after. Its entries are a server's history without gaps from there to `last`.
    pub base: Position,
    /// The entry before the first of `tail`; `last` if that is empty.
    pub before: Position,
    /// The newest entries of the log.
    pub tail: Vec<Entry>,
    /// False if the folder is empty and nobody said that it may be: such a server may have lost what it acknowledged. It cannot vote
    /// for itself, and holds nothing (Java gives it zxid −1).
    pub trusted: bool,
}

/// The parts of a server's folders, to be taken apart.
pub struct Store<D: Disk> {
    /// What was found.
    pub recovered: Recovered,
    /// The log itself, for the thread that writes. Readers are to be had of it.
    pub log: Log<D>,
    /// The snapshot that the tree is to be restored from; entries after it are in the log. `None` only if there is nothing to be
    /// trusted, or a log without snapshots is: then the tree begins empty.
    pub newest: Option<DurableSnapshot<D>>,
    /// Where snapshots are kept.
    pub snapshots: Snapshots<D>,
    /// Where decisions are noted.
    pub journal: Journal<D>,
    /// What is not as it should be, but harms nothing.
    pub warnings: Vec<Warning>,
    /// Keeps other processes out until it is dropped.
    pub lock: Lock<D>,
}

/// Keeps other processes out of a server's folders.
pub struct Lock<D: Disk> {
    _data: D::File,
    _log: Option<D::File>,
}

/// Something that is not as it should be, but harms nothing.
#[derive(Debug)]
pub enum Warning {
    /// A snapshot that cannot be read was passed over: older ones and the log hold everything that it held.
    SnapshotSkipped(SnapshotError),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::SnapshotSkipped(why) => write!(f, "passed over a snapshot: {why}"),
        }
    }
}

/// Why a server's folders cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Another process has it.
    #[error("{folder} is in use by another process")]
    InUse {
        /// The folder.
        folder: String,
    },
    /// Another system's data.
    #[error("{folder} holds the data of {owner}, not of a ZooKeeper server")]
    Foreign {
        /// The folder.
        folder: String,
        /// The other system.
        owner: &'static str,
    },
    /// The folders of log and snapshots are mixed up (ZOOKEEPER-2967).
    #[error("{file} does not belong there: are dataDir and dataLogDir what they were?")]
    Misplaced {
        /// What is in the wrong folder.
        file: String,
    },
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The snapshots that would be needed cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// Transactions are missing between the newest snapshot and the log's beginning.
    #[error("the log begins after {base}, but the newest snapshot that can be read ends at {snapshot}")]
    Gap {
        /// What the log begins after.
        base: Position,
        /// The snapshot's last transaction.
        snapshot: Position,
    },
    /// There is a log, but no snapshot.
    #[error(
        "{folder} holds a log but no snapshot: something is missing. If it was written by a ZooKeeper before 3.5.3, start once \
         with snapshot.trust.empty=true"
    )]
    NoSnapshot {
        /// The folder.
        folder: String,
    },
    /// A file that should hold a number does not.
    #[error("{file} holds no number")]
    NotANumber {
        /// The file.
        file: String,
    },
    /// The epochs do not fit each other and the log.
    #[error(
        "the epochs do not fit: the last transaction is of epoch {last}, currentEpoch is {current}, acceptedEpoch is {accepted}"
    )]
    Epochs {
        /// The last transaction's.
        last: u64,
        /// What `currentEpoch` says.
        current: u64,
        /// What `acceptedEpoch` says.
        accepted: u64,
    },
}

/// This server's number, from `myid` in dataDir; `None` if there is no such file.
///
/// # Errors
///
/// The disk failed, or the file does not hold a number.
pub fn my_id<D: Disk>(data: &D) -> Result<Option<u64>, OpenError> {
    let _ = data;
    todo_later()
}

/// Locks a server's folders (which need not exist yet), reads what they hold, and completes what a crash interrupted. `data` is
/// dataDir and `log` dataLogDir, which may be the same. A new server gets a first snapshot, `snapshot.0`: the pieces that `empty`
/// gives, as the state machine makes them of an empty tree.
///
/// # Errors
///
/// Nothing was changed in folders that are refused, except that a torn tail of the log may have been cut.
pub fn open<D: Disk>(data: D, log: D, options: Options, empty: impl FnOnce() -> Vec<Bytes>) -> Result<Store<D>, OpenError> {
    let _ = (data, log, options, empty);
    todo_later()
}

fn todo_later<T>() -> Result<T, OpenError> {
    let source = std::io::Error::other("reading and writing of ZooKeeper's files is not built in yet");
    Err(Fault { action: crate::fault::Action::Open, path: String::new(), source }.into())
}
