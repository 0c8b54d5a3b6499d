//! The cluster in lines: for people who read a pipe, or for programs.

use super::board::{Board, News, Sentence, State, wall_ms};
use super::suggestions;
use super::supervisor::{Supervisor, Told};
use serde::Serialize;
use std::io::Write;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// How long a sentence waits for those that happened before it and were heard after it: members are asked one after the other.
const PATIENCE: Duration = Duration::from_millis(300);

/// How something is said in lines.
pub(super) trait Voice {
    /// The cluster has a leader.
    fn ready(&mut self, supervisor: &Supervisor) -> Vec<String>;
    /// Something happened; none, one or several lines.
    fn tell(&mut self, supervisor: &Supervisor, told: &Told) -> Vec<Sentence>;
    /// How long lines wait, to be put in order.
    fn patience(&self) -> Duration;
}

/// Prints until `stop` ends.
pub(super) async fn show(
    supervisor: &mut Supervisor,
    voice: &mut impl Voice,
    stop: &mut Pin<&mut impl Future<Output = ()>>,
) -> Result<(), String> {
    if !print(voice.ready(supervisor)) {
        return Ok(());
    }
    let mut waiting: Vec<Sentence> = Vec::new();
    let mut since = Instant::now();
    loop {
        let wait = if waiting.is_empty() { Duration::from_secs(3600) } else { voice.patience().saturating_sub(since.elapsed()) };
        tokio::select! {
            biased;
            () = stop.as_mut() => return Ok(()),
            () = tokio::time::sleep(wait) => {
                waiting.sort_by_key(|sentence| sentence.wall_ms);
                if !print(waiting.drain(..).map(|sentence| sentence.text).collect()) {
                    return Ok(());
                }
            }
            told = supervisor.next() => {
                if waiting.is_empty() {
                    since = Instant::now();
                }
                waiting.extend(voice.tell(supervisor, &told));
            }
        }
    }
}

/// False if nobody reads any more.
fn print(lines: Vec<String>) -> bool {
    let mut output = std::io::stdout().lock();
    lines.iter().try_for_each(|line| writeln!(output, "{line}")).and_then(|()| output.flush()).is_ok()
}

/// For people.
pub(super) struct Plain;

impl Voice for Plain {
    fn ready(&mut self, supervisor: &Supervisor) -> Vec<String> {
        let board = &supervisor.board;
        let leader = board.leader();
        let mut lines = vec![format!(
            "a cluster of {} is ready; {} leads {} {}",
            board.members.len(),
            leader.map_or("nobody", |leader| &leader.name),
            board.flavor.era(),
            leader.and_then(|leader| leader.report.as_ref()).map_or(0, |report| report.term)
        )];
        for (member, planned) in board.members.iter().zip(supervisor.planned()) {
            let pid = member.pid().map_or_else(|| "-".to_owned(), |pid| pid.to_string());
            lines.push(format!(
                "  {}  pid {pid}  {:9}  {}  data in {}",
                member.name,
                member.role(),
                member.client,
                planned.data.display()
            ));
        }
        lines.push("try:".to_owned());
        lines.extend(suggestions(supervisor).into_iter().map(|(command, why)| format!("  {command:40} {why}")));
        lines
    }

    fn tell(&mut self, supervisor: &Supervisor, told: &Told) -> Vec<Sentence> {
        let board = &supervisor.board;
        match told {
            Told::News(news) => news.iter().filter_map(|news| sentence(board, news)).collect(),
            Told::Down(member) => vec![now(down(supervisor, *member))],
            Told::Restarted(member) => {
                let member = &board.members[*member];
                vec![now(format!("{} is started again (pid {})", member.name, member.pid().unwrap_or(0)))]
            }
        }
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}

fn now(text: String) -> Sentence {
    Sentence { wall_ms: wall_ms(), text }
}

fn sentence(board: &Board, news: &News) -> Option<Sentence> {
    match news {
        News::Decided(sentence) => Some(sentence.clone()),
        News::Silent { member } => {
            Some(now(format!("{} does not answer, though its process is there", board.members[*member].name)))
        }
        News::Role { member } => {
            let member = &board.members[*member];
            let report = member.report.as_ref()?;
            match report.role.as_str() {
                "leader" => {
                    let (era, pid) = (board.flavor.era(), member.pid().unwrap_or(0));
                    Some(now(format!("{} leads {era} {} (pid {pid})", member.name, report.term)))
                }
                // Who follows whom is clear from who leads; a candidacy is told as a decision, with its reason.
                _ => None,
            }
        }
    }
}

fn down(supervisor: &Supervisor, index: usize) -> String {
    let member = &supervisor.board.members[index];
    match &member.state {
        State::Down { why, restart: Some(_) } => format!("{} is down ({why}); it is started again in 5 s", member.name),
        State::Down { why, restart: None } => {
            format!("{} is down ({why}); this starts it again: {}", member.name, supervisor.by_hand(index))
        }
        State::Running { .. } => format!("{} was down", member.name),
    }
}

/// For programs: an object a line.
pub(super) struct Json;

/// The first line.
#[derive(Serialize)]
struct Ready<'a> {
    ready: bool,
    leader: Option<&'a str>,
    members: Vec<Introduced<'a>>,
}

#[derive(Serialize)]
struct Introduced<'a> {
    name: &'a str,
    pid: Option<u32>,
    client: &'a str,
    peer: &'a str,
    dir: String,
}

/// Every other line: a member's role, term or leader is another than before.
#[derive(Serialize)]
struct Changed<'a> {
    member: &'a str,
    role: &'a str,
    term: Option<u64>,
    pid: Option<u32>,
}

impl Voice for Json {
    fn ready(&mut self, supervisor: &Supervisor) -> Vec<String> {
        let members = supervisor.board.members.iter().zip(supervisor.planned()).map(|(member, planned)| Introduced {
            name: &member.name,
            pid: member.pid(),
            client: &member.client,
            peer: &member.peer,
            dir: planned.data.display().to_string(),
        });
        let leader = supervisor.board.leader().map(|leader| leader.name.as_str());
        vec![line(&Ready { ready: true, leader, members: members.collect() })]
    }

    fn tell(&mut self, supervisor: &Supervisor, told: &Told) -> Vec<Sentence> {
        let changed = |index: usize| {
            let member = &supervisor.board.members[index];
            let term = member.report.as_ref().map(|report| report.term);
            now(line(&Changed { member: &member.name, role: member.role(), term, pid: member.pid() }))
        };
        match told {
            Told::News(news) => news
                .iter()
                .filter_map(|news| match news {
                    News::Role { member } | News::Silent { member } => Some(changed(*member)),
                    News::Decided(_) => None,
                })
                .collect(),
            Told::Down(member) | Told::Restarted(member) => vec![changed(*member)],
        }
    }

    fn patience(&self) -> Duration {
        Duration::ZERO
    }
}

fn line(object: &impl Serialize) -> String {
    serde_json::to_string(object).expect("names and numbers are JSON")
}
