//! What can go wrong, by name, and how often it did.

use std::fmt;

macro_rules! faults {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// A class of faults.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Fault { $($(#[$doc])* $variant,)* }

        impl Fault {
            /// All classes, in the order of the report.
            pub const ALL: &[Fault] = &[$(Fault::$variant,)*];

            /// Its name in reports.
            pub fn name(self) -> &'static str {
                match self { $(Fault::$variant => $name,)* }
            }
        }
    };
}

faults! {
    /// A message is lost.
    Drop => "drop",
    /// A message arrives twice.
    Duplicate => "duplicate",
    /// A message overtakes an earlier one.
    Reorder => "reorder",
    /// A message takes far longer than usual.
    Delay => "delay",
    /// Nothing passes from one member to another, though it does the other way.
    OneWay => "one-way cut",
    /// The members fall into two groups that do not hear each other.
    Partition => "partition",
    /// Two groups hear each other only through one member.
    Bridge => "bridge",
    /// Each member hears only its two neighbours.
    Ring => "ring",
    /// The leader hears nobody.
    IsolateLeader => "isolated leader",
    /// A partition comes and goes.
    Flapping => "flapping",
    /// A message of a process that is gone arrives.
    Late => "late delivery",
    /// A link is reset.
    Reset => "reset",
    /// A process dies; the page cache lives on.
    Kill => "kill",
    /// The power fails.
    PowerFailure => "power failure",
    /// The power fails in the midst of what a process writes.
    CrashInWrite => "crash between writes",
    /// The power fails while a process recovers.
    CrashInRecovery => "crash in recovery",
    /// A process dies again and again.
    CrashLoop => "crash loop",
    /// All processes die at once.
    RestartAll => "restart of all",
    /// A process stands still.
    Pause => "pause",
    /// A disk is replaced by an empty one.
    Wipe => "wiped member",
    /// What was synced to a log is damaged: a bit, some bytes, a sector, or everything behind some place.
    Rot => "damaged log",
    /// Writes that were not synced are lost.
    LostWrites => "lost writes",
    /// A name that was not synced is lost.
    LostName => "lost rename",
    /// A sync fails.
    FailedSync => "failed sync",
    /// A write fails.
    FailedWrite => "failed write",
    /// A read fails.
    FailedRead => "failed read",
    /// A disk is slow.
    SlowDisk => "slow disk",
    /// A sync takes seconds.
    StuckSync => "stuck sync",
    /// Clocks run at different speeds.
    ClockDrift => "clock drift",
    /// A clock jumps ahead.
    ClockJump => "clock jump",
    /// A clock stands still.
    ClockFreeze => "clock freeze",
    /// Leadership is handed over by an operator.
    Transfer => "transfer",
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How often each class of faults was met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tally(Vec<u64>);

impl Default for Tally {
    fn default() -> Tally {
        Tally(vec![0; Fault::ALL.len()])
    }
}

impl Tally {
    /// One more.
    pub fn count(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// How many of this class.
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// How many of all classes together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Tally) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for &fault in Fault::ALL {
            write!(f, "{between}{fault} {}", self.of(fault))?;
            between = ", ";
        }
        Ok(())
    }
}
