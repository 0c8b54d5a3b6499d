//! A disk that forgets what was not synced.

use super::RealDisk;

/// A folder of the operating system of which everything unsynced lives in this process's memory.
#[derive(Clone)]
pub struct LossyDisk {
    _real: RealDisk,
}
