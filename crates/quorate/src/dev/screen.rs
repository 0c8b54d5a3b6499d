//! The cluster on a terminal: a live table, the latest decisions beneath, and what to try.

use super::board::{Member, State};
use super::flavor::Flavor;
use super::suggestions;
use super::supervisor::Supervisor;
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Row, Table};
use std::pin::Pin;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How often the table is drawn if nothing happens: for the seconds that count down.
const REDRAW_EVERY: Duration = Duration::from_millis(250);

/// Shows the cluster until `stop` ends, or q or Ctrl-C is pressed.
pub(super) async fn show(supervisor: &mut Supervisor, stop: &mut Pin<&mut impl Future<Output = ()>>) -> Result<(), String> {
    let mut terminal = ratatui::try_init().map_err(|error| format!("cannot draw on this terminal: {error}"))?;
    let mut keys = keys();
    let shown = loop {
        if let Err(error) = terminal.draw(|frame| draw(frame, supervisor)) {
            break Err(format!("cannot draw on this terminal: {error}"));
        }
        tokio::select! {
            () = stop.as_mut() => break Ok(()),
            key = keys.recv() => match key {
                Some(Key::Quit) | None => break Ok(()),
                Some(Key::Restart(member)) => restart(supervisor, member),
                Some(Key::Other) => {}
            },
            _ = supervisor.next() => {}
            () = tokio::time::sleep(REDRAW_EVERY) => {}
        }
    };
    ratatui::restore();
    shown
}

enum Key {
    Quit,
    Restart(usize),
    /// Resized, say.
    Other,
}

/// Keys as they are pressed. The thread waits for the terminal and ends with the process.
fn keys() -> mpsc::UnboundedReceiver<Key> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let key = match event {
                Event::Key(key) if key.kind == KeyEventKind::Release => continue,
                Event::Key(key) => match key.code {
                    KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Key::Quit,
                    KeyCode::Char('q') | KeyCode::Esc => Key::Quit,
                    KeyCode::Char(digit @ '1'..='9') => Key::Restart(digit as usize - '1' as usize),
                    _ => Key::Other,
                },
                _ => Key::Other,
            };
            if sender.send(key).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Starts a dead member now.
fn restart(supervisor: &mut Supervisor, member: usize) {
    let is_down = supervisor.board.members.get(member).is_some_and(|member| matches!(member.state, State::Down { .. }));
    if is_down && supervisor.spawn(member).is_err() {
        supervisor.board.ended(member, "cannot be started".to_owned(), None);
    }
}

fn draw(frame: &mut Frame<'_>, supervisor: &Supervisor) {
    let members = u16::try_from(supervisor.board.members.len()).unwrap_or(9);
    let [table, story, hints] =
        Layout::vertical([Constraint::Length(members + 3), Constraint::Min(3), Constraint::Length(6)]).areas(frame.area());
    draw_members(frame, table, supervisor);
    draw_story(frame, story, supervisor);
    draw_hints(frame, hints, supervisor);
}

fn draw_members(frame: &mut Frame<'_>, area: Rect, supervisor: &Supervisor) {
    let rows = supervisor.board.members.iter().enumerate().map(|(index, member)| row(supervisor.board.flavor, index, member));
    let widths = [
        Constraint::Length(6),
        Constraint::Length(8),
        Constraint::Length(13),
        Constraint::Length(5),
        Constraint::Length(8),
        Constraint::Length(14),
        Constraint::Min(23),
    ];
    let [era, first, second] = match supervisor.board.flavor {
        Flavor::Etcd => ["TERM", "COMMIT", "APPLIED"],
        Flavor::Zookeeper => ["EPOCH", "ROUND", "ZXID"],
    };
    let heading =
        Row::new(["MEMBER", "PID", "ROLE", era, first, second, "ENDPOINT"]).style(Style::new().add_modifier(Modifier::BOLD));
    frame.render_widget(Table::new(rows, widths).header(heading).block(Block::bordered().title(" quorate dev ")), area);
}

fn row(flavor: Flavor, index: usize, member: &Member) -> Row<'static> {
    let number = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    let report = member.report.as_ref().filter(|_| member.answers());
    let endpoint = match &member.state {
        State::Running { .. } => member.client.clone(),
        State::Down { restart: Some(at), .. } => {
            format!("again in {} s, or press {}", at.saturating_duration_since(Instant::now()).as_secs() + 1, index + 1)
        }
        State::Down { restart: None, .. } => format!("press {} to start it", index + 1),
    };
    let (first, second) = match flavor {
        Flavor::Etcd => (number(report.map(|report| report.commit)), number(report.map(|report| report.applied))),
        Flavor::Zookeeper => report.map_or_else(Default::default, |report| (report.round.to_string(), report.zxid.clone())),
    };
    let style = match member.role() {
        "leader" => Style::new().fg(Color::Green).add_modifier(Modifier::BOLD),
        "follower" | "observer" => Style::new(),
        "down" | "silent" => Style::new().fg(Color::Red),
        _ => Style::new().fg(Color::Yellow),
    };
    Row::new([
        member.name.clone(),
        member.pid().map_or_else(String::new, |pid| pid.to_string()),
        member.role().to_owned(),
        number(report.map(|report| report.term)),
        first,
        second,
        endpoint,
    ])
    .style(style)
}

fn draw_story(frame: &mut Frame<'_>, area: Rect, supervisor: &Supervisor) {
    let room = usize::from(area.height.saturating_sub(2));
    let story = &supervisor.board.story;
    let latest = story.iter().skip(story.len().saturating_sub(room)).map(|sentence| Line::from(sentence.text.clone()));
    frame.render_widget(Paragraph::new(latest.collect::<Vec<_>>()).block(Block::bordered().title(" why ")), area);
}

fn draw_hints(frame: &mut Frame<'_>, area: Rect, supervisor: &Supervisor) {
    let mut lines: Vec<Line<'static>> = suggestions(supervisor)
        .into_iter()
        .map(|(command, why)| Line::from(vec![format!("{command:40}").bold(), format!("  {why}").dim()]))
        .collect();
    lines.push(Line::from("q or Ctrl-C ends the cluster; its data stays".dim()));
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" try, in another terminal ")), area);
}
