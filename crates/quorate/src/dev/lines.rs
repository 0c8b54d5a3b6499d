//! The cluster in lines: for people who read a pipe, or for programs.

use super::board::{Board, News, State};
use super::suggestions;
use super::supervisor::{Supervisor, Told};
use serde_json::json;
use std::io::Write;
use std::pin::Pin;

/// How something is said in lines; each may be none.
pub(super) trait Voice {
    /// The cluster has a leader.
    fn ready(&mut self, supervisor: &Supervisor) -> Vec<String>;
    /// Something happened.
    fn tell(&mut self, supervisor: &Supervisor, told: &Told) -> Vec<String>;
}

/// Prints until `stop` ends.
pub(super) async fn show(
    supervisor: &mut Supervisor,
    voice: &mut impl Voice,
    stop: &mut Pin<&mut impl Future<Output = ()>>,
) -> Result<(), String> {
    let ready = voice.ready(supervisor);
    if !print(&ready) {
        return Ok(());
    }
    loop {
        let told = tokio::select! {
            () = stop.as_mut() => return Ok(()),
            told = supervisor.next() => told,
        };
        if !print(&voice.tell(supervisor, &told)) {
            return Ok(());
        }
    }
}

/// False if nobody reads any more.
fn print(lines: &[String]) -> bool {
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
            "a cluster of {} is ready; {} leads term {}",
            board.members.len(),
            leader.map_or("nobody", |leader| &leader.name),
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

    fn tell(&mut self, supervisor: &Supervisor, told: &Told) -> Vec<String> {
        let board = &supervisor.board;
        match told {
            Told::News(news) => news.iter().filter_map(|news| sentence(board, news)).collect(),
            Told::Down(member) => vec![down(supervisor, *member)],
            Told::Restarted(member) => {
                let member = &board.members[*member];
                vec![format!("{} is started again (pid {})", member.name, member.pid().unwrap_or(0))]
            }
        }
    }
}

fn sentence(board: &Board, news: &News) -> Option<String> {
    match news {
        News::Decided(sentence) => Some(sentence.clone()),
        News::Silent { member } => Some(format!("{} does not answer, though its process is there", board.members[*member].name)),
        News::Role { member } => {
            let member = &board.members[*member];
            let report = member.report.as_ref()?;
            match report.role.as_str() {
                "leader" => Some(format!("{} leads term {} (pid {})", member.name, report.term, member.pid().unwrap_or(0))),
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

impl Voice for Json {
    fn ready(&mut self, supervisor: &Supervisor) -> Vec<String> {
        let members = supervisor.board.members.iter().zip(supervisor.planned()).map(|(member, planned)| {
            json!({
                "name": member.name,
                "pid": member.pid(),
                "client": member.client,
                "peer": member.peer,
                "dir": planned.data.display().to_string(),
            })
        });
        let leader = supervisor.board.leader().map(|leader| leader.name.as_str());
        vec![json!({"ready": true, "leader": leader, "members": members.collect::<Vec<_>>()}).to_string()]
    }

    fn tell(&mut self, supervisor: &Supervisor, told: &Told) -> Vec<String> {
        let changed = |index: usize| {
            let member = &supervisor.board.members[index];
            let term = member.report.as_ref().map(|report| report.term);
            json!({"member": member.name, "role": member.role(), "term": term, "pid": member.pid()}).to_string()
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
}
