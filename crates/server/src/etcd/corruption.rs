//! Whether all members hold the same: their HashKV compared.
//!
//! ```text
//!   at the start    before a member serves, if it is told to: its own history against the others'
//!   compactions     every minute the leader compares the checksums that all members took of the latest compactions: free, since
//!                   they were taken anyway
//!   whole           now and then the leader takes its own checksum and asks the others for theirs: reads everything, so by itself
//!                   it does so rarely enough to cost next to nothing
//! ```
//!
//! Checksums are comparable if they were taken up to the same revision from the same compaction on. The questions are etcd's
//! (`/members/hashkv`), so that Go members take part. Where they differ the alarm CORRUPT is raised, for the members that a
//! majority speaks against, and for member 0 if there is no majority (etcd 3.6's rule; 3.5 always names member 0).

use super::door::{Door, What};
use super::error::StartError;
use super::peer::Shared;
use super::peer::hash::{self, NoHash};
use super::status::Board;
use super::view::MembershipView;
use consensus::{NodeId, Role, StateMachine};
use etcd::url::Url;
use keyspace::{Alarm, AlarmAction, AlarmKind, AlarmRequest, Answer, Command, HashKv, Keyspace, Member, Query, Values};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

/// How long the leader waits between checks of the whole history, by itself.
const WHOLE_INTERVAL: Duration = Duration::from_secs(600);
/// And at least so many times as long as the last one took.
const WHOLE_SHARE: u32 = 200;

/// So often the newest compaction is asked about, if a member has no checksum of it: one that was restarted has none any more, and
/// would read its whole history each time for one that cannot be compared.
const TRIES: u32 = 3;

/// How often to check what.
pub(crate) struct Pace {
    /// The compactions.
    pub(crate) compactions: Duration,
    /// The whole; `None`: as [`WHOLE_INTERVAL`] and [`WHOLE_SHARE`] say.
    pub(crate) whole: Option<Duration>,
    /// How long a member may take to answer.
    pub(crate) patience: Duration,
}

/// Which compactions need no check any more.
#[derive(Debug, Default)]
struct Checked {
    upto: i64,
    /// How often the newest was asked about in vain.
    tries: u32,
}

impl Checked {
    fn done(&mut self, upto: i64) {
        *self = Checked { upto, tries: 0 };
    }

    fn in_vain(&mut self, newest: i64) {
        self.tries += 1;
        if self.tries == TRIES {
            self.done(newest);
        }
    }
}

/// What a member answered.
struct Answered {
    member: NodeId,
    hash: Result<HashKv, NoHash>,
}

/// Checks for as long as the member lives.
pub(crate) async fn watch(door: Door, board: Board, shared: Arc<Shared>, pace: Pace) {
    let mut checked = Checked::default();
    let mut whole_at = Instant::now() + pace.whole.unwrap_or(WHOLE_INTERVAL);
    let mut compactions_at = Instant::now() + pace.compactions;
    loop {
        tokio::time::sleep_until(compactions_at.min(whole_at)).await;
        let leads = board.status().role == Role::Leader;
        let check = Check { door: &door, shared: &shared, patience: pace.patience };
        if compactions_at <= Instant::now() {
            compactions_at = Instant::now() + pace.compactions;
            if leads && check.compactions(&mut checked).await.is_none() {
                continue;
            }
        }
        if whole_at <= Instant::now() {
            let began = Instant::now();
            if leads {
                check.whole().await;
            }
            let pause = pace.whole.unwrap_or_else(|| WHOLE_INTERVAL.max(began.elapsed() * WHOLE_SHARE));
            whole_at = Instant::now() + pause;
        }
    }
}

struct Check<'a> {
    door: &'a Door,
    shared: &'a Arc<Shared>,
    patience: Duration,
}

impl Check<'_> {
    /// Compares the latest compaction that all members have a checksum of (etcd: CompactHashCheck). `None`: it could not be done.
    async fn compactions(&self, checked: &mut Checked) -> Option<()> {
        let Ok(Ok(Answer::CompactionHashes(known))) = self.door.ask(What::ReadHere(Query::CompactionHashes)).await else {
            return None;
        };
        let members = self.door.members().await?.members;
        for mine in known.iter().rev().filter(|hash| hash.hash_revision > checked.upto) {
            let answers = ask(self.shared, &members, mine.hash_revision, self.patience).await;
            let others = answers.len();
            let comparable = comparable(mine, answers);
            if self.compare(mine, &comparable).await {
                return Some(());
            }
            if comparable.len() == others {
                info!(revision = mine.hash_revision, members = others + 1, "all members agree on what a compaction kept");
                checked.done(mine.hash_revision);
                return Some(());
            }
        }
        if let Some(newest) = known.last().filter(|hash| hash.hash_revision > checked.upto) {
            checked.in_vain(newest.hash_revision);
        }
        Some(())
    }

    /// Compares everything (etcd: PeriodicCheck).
    async fn whole(&self) -> Option<()> {
        // Where no key exists, the checksum of a compaction and the one that somebody asks for differ in etcd by what they count, and
        // another member may answer with either.
        if self.door.machine_status().await?.keys == 0 {
            return None;
        }
        let mine = self.door.hash_kv(0).await?.ok()?;
        let members = self.door.members().await?.members;
        let answers = ask(self.shared, &members, mine.hash_revision, self.patience).await;
        // Whatever the others held then, a leader that is confirmed now holds by now.
        let Ok(Ok(Answer::Status(now))) = self.door.ask(What::Read(Query::Status)).await else { return None };
        let ahead: Vec<u64> = answers
            .iter()
            .filter(|answered| {
                answered.hash.as_ref().is_ok_and(|hash| hash.revision > now.revision || hash.compact_revision > now.compacted)
            })
            .map(|answered| answered.member.0)
            .collect();
        if !ahead.is_empty() {
            error!(?ahead, revision = now.revision, compacted = now.compacted, "members are ahead of their leader");
            self.raise(&[0]).await;
            return Some(());
        }
        let comparable = comparable(&mine, answers);
        if !self.compare(&mine, &comparable).await {
            info!(
                revision = mine.hash_revision,
                members = comparable.len() + 1,
                "compared the history of members: no difference"
            );
        }
        Some(())
    }

    /// Raises the alarm if any differs; whether it did.
    async fn compare(&self, mine: &HashKv, others: &[(NodeId, HashKv)]) -> bool {
        let me = (self.shared.identity.me.0, mine.hash);
        let all: Vec<(u64, u32)> = std::iter::once(me).chain(others.iter().map(|(id, hash)| (id.0, hash.hash))).collect();
        let members = self.door.members().await.map_or(all.len(), |members| members.members.len());
        let accused = accused(&all, members);
        if accused.is_empty() {
            return false;
        }
        for (id, hash) in &all {
            error!(member = %NodeId(*id), hash, revision = mine.hash_revision, compacted = mine.compact_revision, "members differ");
        }
        self.raise(&accused).await;
        true
    }

    async fn raise(&self, members: &[u64]) {
        let raised = self.door.machine_status().await.map(|status| status.alarms).unwrap_or_default();
        for &member in members {
            let alarm = Alarm { alarm: AlarmKind::Corrupt, member };
            if raised.contains(&alarm) {
                continue;
            }
            let request = AlarmRequest { action: AlarmAction::Activate, member, alarm: AlarmKind::Corrupt };
            if let Err(why) = self.door.ask(What::Write(Command::Alarm(request))).await {
                warn!(?why, "could not raise the alarm CORRUPT");
            }
        }
    }
}

/// Who holds something else than a majority of all members does; member 0 if there is no such majority. Nobody if all are equal.
fn accused(hashes: &[(u64, u32)], members: usize) -> Vec<u64> {
    if hashes.iter().all(|(_, hash)| *hash == hashes[0].1) {
        return Vec::new();
    }
    let count = |wanted: u32| hashes.iter().filter(|(_, hash)| *hash == wanted).count();
    match hashes.iter().map(|(_, hash)| *hash).find(|&hash| count(hash) > members / 2) {
        Some(right) => hashes.iter().filter(|(_, hash)| *hash != right).map(|(id, _)| *id).collect(),
        None => vec![0],
    }
}

/// Those of the answers that say something about the same history.
fn comparable(mine: &HashKv, answers: Vec<Answered>) -> Vec<(NodeId, HashKv)> {
    let mut comparable = Vec::new();
    for Answered { member, hash } in answers {
        match hash {
            Ok(hash) if hash.compact_revision == mine.compact_revision => comparable.push((member, hash)),
            Ok(hash) => debug!(%member, compacted = hash.compact_revision, "cannot compare: it was compacted elsewhere"),
            Err(why) => debug!(%member, %why, "cannot compare: it gives no checksum"),
        }
    }
    comparable
}

/// Asks all other members at once.
async fn ask(shared: &Arc<Shared>, members: &[Member], revision: i64, patience: Duration) -> Vec<Answered> {
    let mut asked = JoinSet::new();
    for member in members.iter().filter(|member| member.id != shared.identity.me.0) {
        let urls: Vec<Url> = member.peer_urls.iter().filter_map(|url| Url::parse(url).ok()).collect();
        let (shared, id) = (shared.clone(), NodeId(member.id));
        asked.spawn(async move {
            let hash = hash::ask(&shared.client, shared.identity.cluster, &urls, revision, patience).await;
            Answered { member: id, hash }
        });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|answered| answered.member);
    answers
}

/// The check at the start: before this member serves anybody, its history against that of every member that answers. One that does
/// not, or that was compacted elsewhere, says nothing against it.
pub(crate) async fn check_at_start<V: Values>(
    machine: &Keyspace<V>,
    members: &[Member],
    shared: &Arc<Shared>,
    patience: Duration,
) -> Result<(), StartError> {
    let Ok(Answer::HashKv(mine)) = machine.read(Query::HashKv { revision: 0 }) else { return Ok(()) };
    info!(revision = mine.revision, hash = mine.hash, "comparing the history here with that of the other members");
    let answers = ask(shared, members, mine.revision, patience).await;
    let different: Vec<String> = comparable(&mine, answers)
        .into_iter()
        .filter(|(_, hash)| hash.hash != mine.hash)
        .map(|(member, hash)| format!("{member} has hash {} at revision {}, not {}", hash.hash, mine.revision, mine.hash))
        .collect();
    if different.is_empty() {
        return Ok(());
    }
    Err(StartError::Corrupt { id: shared.identity.me.to_string(), peers: different.join("; ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compaction_that_cannot_be_compared_is_given_up() {
        let mut checked = Checked::default();
        for _ in 0..TRIES {
            assert_eq!(checked.upto, 0);
            checked.in_vain(7);
        }
        assert_eq!((checked.upto, checked.tries), (7, 0));
    }

    #[test]
    fn a_majority_says_who_is_wrong() {
        assert!(accused(&[(1, 7), (2, 7), (3, 7)], 3).is_empty());
        assert_eq!(accused(&[(1, 7), (2, 7), (3, 8)], 3), [3]);
        assert_eq!(accused(&[(1, 8), (2, 7), (3, 7)], 3), [1], "the leader, too");
        assert_eq!(accused(&[(1, 6), (2, 7), (3, 8)], 3), [0]);
        assert_eq!(accused(&[(1, 7), (2, 8)], 3), [0], "the third was not heard");
        assert_eq!(accused(&[(1, 7), (2, 7), (3, 7), (4, 8), (5, 9)], 5), [4, 5]);
        assert!(accused(&[(1, 7)], 3).is_empty());
    }
}
