//! A server's folders as a whole.

use super::epochs::number;
use super::folder::{self, FOLDER, JOURNAL, LOCK};
use super::log::{Contents, Log, LogError, any};
use super::snapshot::{DurableSnapshot, Found, SnapshotError, Snapshots};
use crate::disk::{Disk, fault};
use crate::fault::{Action, Fault};
use crate::journal::{Journal, Line};
use crate::marker;
use bytes::Bytes;
use consensus::{Entry, Position, Promise};
use std::{fmt, io};

const MY_ID: &str = "myid";
const INITIALIZE: &str = "initialize";

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
    /// The folder of the log is empty, and that of the snapshots is not.
    #[error(
        "{folder} is empty, but {data} has been in use: is the disk of the log there? What it held may be nowhere else. \
         If it is lost for good, or the snapshots came here alone, make the folder {made} and start again"
    )]
    LogGone {
        /// The folder of the log.
        folder: String,
        /// The folder of the snapshots.
        data: String,
        /// What says that nothing is missed.
        made: String,
    },
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The snapshots that would be needed cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
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
    let Some(bytes) = folder::read_small(data, MY_ID, 64)? else { return Ok(None) };
    number(&bytes).map(Some).ok_or_else(|| OpenError::NotANumber { file: data.describe(MY_ID) })
}

/// The last `count` lines of a server's journal, oldest first. Needs no lock: the server may be running.
pub fn journal_tail<D: Disk>(data: &D, count: usize) -> Result<Vec<Line>, Fault> {
    Journal::tail_of(data, JOURNAL, count)
}

/// Locks a server's folders (which need not exist yet), reads what they hold, and completes what a crash interrupted. `data` is
/// dataDir and `log` dataLogDir, which may be the same. A new server gets a first snapshot, `snapshot.0`: the pieces that `empty`
/// gives, as the state machine makes them of an empty tree.
///
/// # Errors
///
/// Nothing was changed in folders that are refused, except that a torn tail of the log may have been cut.
pub fn open<D: Disk>(data: D, log: D, options: Options, empty: impl FnOnce() -> Vec<Bytes>) -> Result<Store<D>, OpenError> {
    let apart = data.describe("") != log.describe("");
    // Before the first file is put there: the folder may not be ours.
    refuse_foreign(&data)?;
    make(&data)?;
    let data_lock = take_lock(&data)?;
    let mut log_lock = None;
    if apart {
        refuse_foreign(&log)?;
        refuse_gone(&data, &log)?;
        make(&log)?;
        log_lock = Some(take_lock(&log)?);
        refuse_misplaced(&data, &log)?;
    }
    for disk in [&data, &log] {
        folder::remove_unfinished(disk)?;
        // What an earlier process renamed may not be durable yet, though it can be seen.
        folder::sync_folder(disk)?;
    }

    let snapshots = Snapshots::new(&data);
    let Found { mut newest, mut wrong } = snapshots.search()?;
    // What begins at nothing holds nothing.
    wrong.retain(|(position, _)| *position > Position::ZERO);
    let mut trusted = true;
    if newest.is_none() {
        if let Some((_, error)) = wrong.into_iter().next() {
            return Err(error.into());
        }
        wrong = Vec::new();
        if !any(&log)? {
            trusted = options.autocreate || folder::read_small(&data, INITIALIZE, 0)?.is_some();
            if trusted {
                newest = Some(first_snapshot(&snapshots, empty())?);
            }
        } else if !options.trust_empty_snapshot {
            return Err(OpenError::NoSnapshot { folder: data.describe(FOLDER) });
        }
    }
    let snapshot = newest.as_ref().map_or(Position::ZERO, DurableSnapshot::position);
    let (log, Contents { base, last, before, tail }) = match Log::open(&data, &log, options, snapshots.clone(), snapshot) {
        // What is missing may be what the snapshot held that cannot be read.
        Err(OpenError::Log(LogError::Missing { .. })) if !wrong.is_empty() => return Err(wrong.swap_remove(0).1.into()),
        opened => opened?,
    };
    if let Some(newer) = wrong.iter().position(|(position, _)| *position > last) {
        return Err(wrong.swap_remove(newer).1.into());
    }
    remove_initialize(&data)?;
    let journal = Journal::open_as(&data, JOURNAL)?;
    let recovered = Recovered { promise: log.promise(), last, snapshot, base, before, tail, trusted };
    let warnings = wrong.into_iter().map(|(_, error)| Warning::SnapshotSkipped(error)).collect();
    let lock = Lock { _data: data_lock, _log: log_lock };
    Ok(Store { recovered, log, newest, snapshots, journal, warnings, lock })
}

/// Refuses a folder that is not a ZooKeeper server's. Other files than a server's may be there: people keep their zoo.cfg beside the
/// data, and Java minds nothing.
fn refuse_foreign<D: Disk>(disk: &D) -> Result<(), OpenError> {
    let names = folder::list(disk, "")?.unwrap_or_default();
    let holds = |name: &str| names.iter().any(|found| found == name);
    let foreign = |owner| Err(OpenError::Foreign { folder: disk.describe(""), owner });
    if holds("member") && (folder::list(disk, "member/snap")?.is_some() || folder::list(disk, "member/wal")?.is_some()) {
        return foreign("Go etcd");
    }
    if holds(marker::FILE) {
        return foreign("a member of a cluster that speaks etcd's protocol");
    }
    Ok(())
}

/// ZOOKEEPER-2967: whoever exchanges the two folders would begin with an empty tree.
fn refuse_misplaced<D: Disk>(data: &D, log: &D) -> Result<(), OpenError> {
    let find = |disk: &D, wrong: fn(&str) -> bool| -> Result<(), OpenError> {
        match folder::list(disk, FOLDER)?.unwrap_or_default().into_iter().find(|name| wrong(name)) {
            Some(name) => Err(OpenError::Misplaced { file: disk.describe(&folder::path(&name)) }),
            None => Ok(()),
        }
    };
    find(data, |name| folder::log_zxid(name).is_some())?;
    find(log, |name| folder::snapshot_zxid(name).is_some())
}

/// A disk that was not mounted leaves an empty folder. Whoever began with it would forget what it acknowledged since its last snapshot,
/// and vote without it. Java does begin.
fn refuse_gone<D: Disk>(data: &D, log: &D) -> Result<(), OpenError> {
    let is_new = folder::list(log, FOLDER)?.is_none();
    let names = folder::list(data, FOLDER)?.unwrap_or_default();
    if is_new && names.iter().any(|name| folder::snapshot_zxid(name).is_some()) {
        return Err(OpenError::LogGone { folder: log.describe(""), data: data.describe(""), made: log.describe(FOLDER) });
    }
    Ok(())
}

fn make<D: Disk>(disk: &D) -> Result<(), Fault> {
    disk.create_dir(FOLDER).map_err(fault(disk, Action::Create, FOLDER))?;
    disk.sync_dir("").map_err(fault(disk, Action::Sync, ""))
}

fn take_lock<D: Disk>(disk: &D) -> Result<D::File, OpenError> {
    match disk.lock(LOCK) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(OpenError::InUse { folder: disk.describe("") }),
        locked => Ok(locked.map_err(fault(disk, Action::Open, LOCK))?),
    }
}

fn first_snapshot<D: Disk>(snapshots: &Snapshots<D>, pieces: Vec<Bytes>) -> Result<DurableSnapshot<D>, Fault> {
    let mut writer = snapshots.take(Position::ZERO)?;
    for piece in pieces {
        writer.write(&piece)?;
    }
    writer.finish()?.publish()
}

/// It was good for one start (FileTxnSnapLog.restore).
fn remove_initialize<D: Disk>(data: &D) -> Result<(), Fault> {
    match data.remove(INITIALIZE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => {
            removed.map_err(fault(data, Action::Remove, INITIALIZE))?;
            data.sync_dir("").map_err(fault(data, Action::Sync, ""))
        }
    }
}
