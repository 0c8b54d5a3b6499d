//! The journal: what a member decided and why, in lines of plain text, for people.

use crate::disk::Disk;
use crate::fault::Fault;
use std::marker::PhantomData;

/// One line of the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Milliseconds since 1970.
    pub wall_ms: u64,
    /// What was decided.
    pub text: String,
}

/// The journal of a running member.
pub struct Journal<D: Disk> {
    disk: PhantomData<D>,
}

impl<D: Disk> Journal<D> {
    /// Opens the journal of a member, to append to it.
    pub fn open(_disk: &D) -> Result<Journal<D>, Fault> {
        unimplemented!()
    }

    /// Appends a line. Not synced.
    pub fn append(&mut self, _wall_ms: u64, _text: &str) -> Result<(), Fault> {
        unimplemented!()
    }

    /// The last `count` lines of a member's journal, oldest first. Needs no lock: the member may be running.
    pub fn tail(_disk: &D, _count: usize) -> Result<Vec<Line>, Fault> {
        unimplemented!()
    }
}
