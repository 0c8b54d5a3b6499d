//! Golden scripts for any consensus protocol.
//!
//! A script is a story that is checked: commands, and below `---` what they brought about. The file's name is the claim, the
//! comments are the argument. `tests/scripts/` holds them; `UPDATE_GOLDENFILES=1 cargo test -p script` writes the outputs anew, to be
//! *read* before they are kept.
//!
//! ```text
//! # Three followers, nobody leads. The timer of 1 ends first.
//! cluster 3 election=150ms heartbeat=50ms prevote=off 1=150ms 2=220ms 3=290ms
//! expire 1
//! ---
//! at 150 ms
//! 1: stood for election in term 1: no leader for 150 ms
//! 1 is a candidate in term 1
//! 1 syncs term 1; its vote for 1
//! 1 sends 2, 3: RequestVote term 1, log ends (0, 0)
//! ```
//!
//! # The world
//!
//! Members run the true protocol, everything around them belongs to the script. There is one clock, which only `advance`, `run` and
//! `expire` move. A message stays under way until the script delivers it; a disk syncs at once unless the script takes that over;
//! the state machine remembers the newest command, which is what a read returns.
//!
//! # The commands
//!
//! | to set the scene | |
//! |---|---|
//! | `cluster 3 [key=value…]` | members 1 to 3, all followers. `1=150ms` sets how long exactly 1 waits for a leader; otherwise later members wait longer. Raft: `election=1000ms heartbeat=100ms prevote=off checkquorum=off lease=off early=off leasereads=on inflight=2 bytes=64 cache=64`. Zab: `observers=1 tick=2000ms init=10 sync=5 finalize=200ms early=off history=64 group.1="1:2:3" weight.1=0` |
//! | `log 1 1x3 4x2 [term=5]` (Zab: `epoch=5`) | before anything has happened: the log of 1 holds three entries of term 1, then two of term 4 |
//! | `disk 1 manual` / `instant` | whether writes of 1 wait for the command `sync` |
//!
//! | to let things happen | |
//! |---|---|
//! | `advance 150ms` | time passes; timers end in order; messages stay under way |
//! | `run 2s` | time passes, and messages arrive as they are sent |
//! | `expire 1` | time passes until a timer of 1 ends and it acts |
//! | `deliver [from=1] [to=2] [Name] [count=1]` | delivers what is under way now, not what follows from it: one hop |
//! | `drop [from=1] [to=2] [Name] [count=1]` | loses it |
//! | `copy [from=1] [to=2] [Name] [count=1]` | doubles it; the copies come last |
//! | `stabilize` | delivers everything, and what follows from it |
//! | `sync 1 [count=1]` | the disk of 1 syncs its writes, or the oldest so many |
//!
//! | to ask for something | |
//! |---|---|
//! | `propose 1 "x"` | a client of 1 writes; a follower forwards |
//! | `read 1 [mode=index]` | a client of 1 reads: through the protocol, through the `log`, or from what 1 has (`local`) |
//! | `transfer 1 2` | 1 is to hand leadership to 2 |
//! | `snapshot 1 [cut=3]` | 1 saves a snapshot and cuts its log up to there |
//!
//! | to break and mend | |
//! |---|---|
//! | `cut 1-2` / `cut from=1 to=2` | what is sent there is lost; also what is under way. No member is told |
//! | `isolate 5`, `partition "1 2" "3 4 5"`, `links 1-2 2-3` | many cuts at once; `links` leaves only these |
//! | `heal [1-2]` | mends all links, or these |
//! | `refuse 1 at 2 3` | 2 and 3 find that nobody listens at 1's address |
//! | `crash 1` | power loss: what was not synced is gone. No member is told |
//! | `kill 1` | the process dies, and every member that can reach its address finds nobody there |
//! | `restart 1 [timer=…] [key=value…]` | starts it from what its disk holds, with other settings if told so |
//! | `pause 1` / `resume 1` | the process is stopped and takes no step; what is sent to it waits |
//!
//! | to look | |
//! |---|---|
//! | `status [1…]` | role, term, vote, log's end, commit and applied position |
//! | `show [1…]` | the logs |
//! | `pending` | what is under way |
//! | `table 1` | Raft: what leader 1 knows of its followers |
//!
//! # What it prints
//!
//! `1 → 2 …` arrived, with what follows from it below; `1 ✗ 2 …` was lost; `1 sends 2: …` is under way; `1: …` is the protocol's own
//! reason. Heartbeats that change nothing are counted in one line at the end. `(command)` runs without printing. After every command the
//! runner checks that the protocol's promises hold ([`Violation`]) and fails the script if not, with what led there.
//!
//! # Links that are lost as a whole
//!
//! Zab opens and closes the link between a leader and its learner itself. What was under way over it is lost with it, and both sides hear
//! of that: when one closes it, when the other's process was killed or started anew, and when a path that was cut is mended.
//!
//! # Another protocol
//!
//! Everything above is written for any [`Protocol`]; what is Raft's own lives in `raft/`, what is Zab's in `zab/`. A protocol names its messages, tells them in plain
//! words, starts a member from a disk image, and may bring commands of its own.
//!

#![forbid(unsafe_code)]

mod args;
mod client;
mod commands;
mod disk;
mod invariant;
mod link;
mod machine;
mod member;
mod network;
mod protocol;
mod raft;
mod requests;
mod runner;
mod step;
mod transcript;
mod words;
mod world;
mod zab;

pub use args::{Args, BadArgument};
pub use disk::Image;
pub use invariant::Violation;
pub use protocol::{Found, Outcome, Protocol};
pub use raft::Raft;
pub use runner::Runner;
pub use world::World;
pub use zab::Zab;
