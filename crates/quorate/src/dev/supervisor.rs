//! Starts the members, watches them, and starts again those that died.

use super::board::{Board, News, State};
use super::flavor::Flavor;
use super::plan::Planned;
use super::report::{Asker, Report};
use crate::processes::{leashed, send, this_program};
use rustix::process::Signal;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::sync::mpsc;

/// How often members are asked how they are.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How long a member may take to say so before it counts as silent.
const PATIENCE: Duration = Duration::from_millis(700);
/// How long a dead member stays dead.
const RESTART_AFTER: Duration = Duration::from_secs(5);
/// How long members may take to stop.
const STOP_WITHIN: Duration = Duration::from_millis(1500);

/// What happened to a member.
pub(super) enum Happened {
    /// It was asked.
    Asked(usize, Option<Report>),
    /// Its process ended.
    Ended(usize, ExitStatus),
}

/// What the watcher is told.
#[derive(Debug)]
pub(super) enum Told {
    /// What members said.
    News(Vec<News>),
    /// A member's process ended.
    Down(usize),
    /// A member's process was started again.
    Restarted(usize),
}

/// The members and who watches over them.
pub(super) struct Supervisor {
    planned: Vec<Planned>,
    pub(super) board: Board,
    restart: bool,
    happened: mpsc::UnboundedReceiver<Happened>,
    sender: mpsc::UnboundedSender<Happened>,
    stopping: bool,
}

impl Supervisor {
    /// Starts every member.
    pub(super) fn start(planned: Vec<Planned>, restart: bool) -> Result<Supervisor, String> {
        let (sender, happened) = mpsc::unbounded_channel();
        let flavor = planned.first().map_or(Flavor::Etcd, |member| member.flavor);
        let board = Board::new(flavor, planned.iter().map(|member| (member.name.clone(), member.client(), member.peer())));
        let mut supervisor = Supervisor { planned, board, restart, happened, sender, stopping: false };
        let asker = Asker::new();
        for member in 0..supervisor.planned.len() {
            supervisor.spawn(member)?;
            let (url, sender) = (supervisor.planned[member].status(), supervisor.sender.clone());
            tokio::spawn(watch(asker.clone(), member, url, sender));
        }
        Ok(supervisor)
    }

    /// Starts one member's process. It dies with this one.
    pub(super) fn spawn(&mut self, member: usize) -> Result<(), String> {
        let planned = &self.planned[member];
        let log = File::options().create(true).append(true).open(&planned.log);
        let log = log.map_err(|error| format!("cannot write {}: {error}", planned.log.display()))?;
        let mut command = leashed(&this_program(), planned.flavor.arguments(planned));
        // A variable that is meant for a real member must not reach these.
        let variables = std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("ETCD_"));
        for variable in variables.collect::<Vec<_>>() {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut child = Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", planned.name))?;
        let pid = child.id().ok_or_else(|| format!("{} ended at once", planned.name))?;
        self.board.started(member, pid);
        let sender = self.sender.clone();
        tokio::spawn(async move {
            if let Ok(status) = child.wait().await {
                let _ = sender.send(Happened::Ended(member, status));
            }
        });
        Ok(())
    }

    /// Waits for the next thing that is worth telling.
    pub(super) async fn next(&mut self) -> Told {
        loop {
            let due = self.due();
            let wait = due.map_or(Duration::from_secs(3600), |(_, at)| at.saturating_duration_since(Instant::now()));
            let happened = tokio::time::timeout(wait, self.happened.recv()).await;
            match (happened, due) {
                (Ok(Some(Happened::Asked(member, report))), _) => {
                    let news = self.board.heard(member, report);
                    if !news.is_empty() {
                        return Told::News(news);
                    }
                }
                (Ok(Some(Happened::Ended(member, status))), _) => {
                    let restart = (self.restart && !self.stopping).then(|| Instant::now() + RESTART_AFTER);
                    self.board.ended(member, how_it_ended(status), restart);
                    return Told::Down(member);
                }
                (Err(_), Some((member, _))) => {
                    if self.spawn(member).is_ok() {
                        return Told::Restarted(member);
                    }
                    self.board.ended(member, "cannot be started".to_owned(), Some(Instant::now() + RESTART_AFTER));
                }
                (Err(_) | Ok(None), _) => {}
            }
        }
    }

    /// The dead member that is to be started next.
    fn due(&self) -> Option<(usize, Instant)> {
        let restarts = self.board.members.iter().enumerate().filter_map(|(index, member)| match member.state {
            State::Down { restart: Some(at), .. } => Some((index, at)),
            _ => None,
        });
        restarts.min_by_key(|(_, at)| *at)
    }

    /// Why a member ended: the last thing that it said in its log.
    pub(super) fn last_words(&self, member: usize) -> String {
        let log = fs::read_to_string(&self.planned[member].log).unwrap_or_default();
        let words = log.lines().rev().find(|line| !line.trim().is_empty()).map(words);
        words.unwrap_or_else(|| format!("see {}", self.planned[member].log.display()))
    }

    /// The command that starts a member by hand.
    pub(super) fn by_hand(&self, member: usize) -> String {
        let planned = &self.planned[member];
        let words = planned.flavor.arguments(planned);
        words.iter().fold(super::show_program(), |command, word| format!("{command} {}", word.to_string_lossy()))
    }

    pub(super) fn planned(&self) -> &[Planned] {
        &self.planned
    }

    /// Ends every member: with a request that can be heard, then with a signal that cannot be refused. What is acknowledged is on
    /// disk either way.
    pub(super) async fn stop(mut self) {
        self.stopping = true;
        let signal = |board: &Board, signal| {
            for pid in board.members.iter().filter_map(super::board::Member::own_pid) {
                send(pid, signal);
            }
        };
        // A member that hangs must wake up to hear the next one.
        signal(&self.board, Signal::CONT);
        signal(&self.board, Signal::TERM);
        // The last one would hand leadership over, and has nobody to hand it to.
        self.until_only(1).await;
        signal(&self.board, Signal::KILL);
        self.until_only(0).await;
    }

    /// Waits, within bounds, until no more than `count` members run.
    async fn until_only(&mut self, count: usize) {
        let deadline = Instant::now() + STOP_WITHIN;
        while self.board.members.iter().filter(|member| member.own_pid().is_some()).count() > count {
            let left = deadline.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, self.happened.recv()).await {
                Ok(Some(Happened::Ended(member, status))) => self.board.ended(member, how_it_ended(status), None),
                Ok(Some(Happened::Asked(..))) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }
}

async fn watch(asker: Asker, member: usize, url: String, sender: mpsc::UnboundedSender<Happened>) {
    loop {
        let report = asker.ask(&url, PATIENCE).await;
        if sender.send(Happened::Asked(member, report)).is_err() {
            return;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn how_it_ended(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("killed by signal {signal}"),
        (None, Some(code)) => format!("ended with code {code}"),
        (None, None) => "ended".to_owned(),
    }
}

/// A line of a member's log, without what is around the sentence.
fn words(line: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(line) {
        Ok(line) if line["msg"].is_string() => {
            let error = line["error"].as_str().map_or_else(String::new, |error| format!(": {error}"));
            format!("{}{error}", line["msg"].as_str().unwrap_or_default())
        }
        _ => line.trim_start_matches("quorate: ").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_members_last_words_are_its_sentence_alone() {
        assert_eq!(words(r#"{"level":"error","msg":"stopped","error":"the disk is full"}"#), "stopped: the disk is full");
        assert_eq!(words("quorate: unknown key"), "unknown key");
    }

    #[test]
    fn an_end_is_told_in_words() {
        assert_eq!(how_it_ended(ExitStatus::from_raw(9)), "killed by signal 9");
        assert_eq!(how_it_ended(ExitStatus::from_raw(256)), "ended with code 1");
    }
}
