//! What is known of the members, and what of that is news.

use super::flavor::Flavor;
use super::report::{Decision, Report};
use std::collections::VecDeque;
use std::time::{Instant, SystemTime};

/// How much of the story is kept for the screen.
const SENTENCES_KEPT: usize = 100;

/// The cluster as it looks from here.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) flavor: Flavor,
    pub(super) members: Vec<Member>,
    /// What happened last, oldest first.
    pub(super) story: VecDeque<Sentence>,
}

/// A member as it looks from here.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) client: String,
    pub(super) peer: String,
    pub(super) state: State,
    /// Its id in hex, once it has said it.
    id: String,
    /// The process that was started here last; an answer of it may still come when it is known to be dead.
    last_pid: u32,
    /// The last that it said.
    pub(super) report: Option<Report>,
    /// The decision that was told last.
    told: Option<Decision>,
}

/// Whether a member is there.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// Its process runs.
    Running {
        /// Which.
        pid: u32,
        /// Whether it was started here; what others started is theirs to end.
        ours: bool,
        /// Whether it answers.
        answers: bool,
    },
    /// Its process is gone.
    Down {
        /// "killed by signal 9".
        why: String,
        /// When it is started again, if by itself.
        restart: Option<Instant>,
    },
}

/// Something that happened, in plain words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Sentence {
    /// Milliseconds since 1970, by the clock of whoever it happened to; all are on this machine.
    pub(super) wall_ms: u64,
    pub(super) text: String,
}

/// News for whoever watches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum News {
    /// A member's role, term or leader is another than before.
    Role {
        /// Which member.
        member: usize,
    },
    /// A member answers no more, though its process is there.
    Silent {
        /// Which member.
        member: usize,
    },
    /// A member decided something.
    Decided(Sentence),
}

impl Board {
    pub(super) fn new(flavor: Flavor, members: impl IntoIterator<Item = (String, String, String)>) -> Board {
        let members = members.into_iter().map(|(name, client, peer)| Member {
            name,
            client,
            peer,
            state: State::Down { why: "not started yet".to_owned(), restart: None },
            id: String::new(),
            last_pid: 0,
            report: None,
            told: None,
        });
        Board { flavor, members: members.collect(), story: VecDeque::new() }
    }

    /// A process was started.
    pub(super) fn started(&mut self, member: usize, pid: u32) {
        let member = &mut self.members[member];
        let again = member.last_pid != 0;
        member.state = State::Running { pid, ours: true, answers: false };
        member.last_pid = pid;
        member.report = None;
        if again {
            let text = format!("{} is started again", member.name);
            self.tell(Sentence { wall_ms: wall_ms(), text });
        }
    }

    /// A process is gone.
    pub(super) fn ended(&mut self, member: usize, why: String, restart: Option<Instant>) {
        let member = &mut self.members[member];
        let text = format!("{} is down: {why}", member.name);
        member.state = State::Down { why, restart };
        member.report = None;
        self.tell(Sentence { wall_ms: wall_ms(), text });
    }

    /// A member said something, or nothing in time.
    pub(super) fn heard(&mut self, index: usize, report: Option<Report>) -> Vec<News> {
        let mut news = Vec::new();
        let member = &mut self.members[index];
        let Some(report) = report else {
            match &mut member.state {
                State::Running { answers: answers @ true, ours: true, .. } => {
                    *answers = false;
                    news.push(News::Silent { member: index });
                }
                // Of a process that was started by hand, nothing but its answers is known.
                State::Running { ours: false, .. } => self.ended(index, "started by hand, and answers no more".to_owned(), None),
                _ => {}
            }
            return news;
        };
        match &mut member.state {
            State::Running { answers, .. } => *answers = true,
            State::Down { .. } if report.pid == member.last_pid => return news,
            // Somebody started it by hand.
            state @ State::Down { .. } => *state = State::Running { pid: report.pid, ours: false, answers: true },
        }
        let changed = member
            .report
            .as_ref()
            .is_none_or(|before| before.role != report.role || before.term != report.term || before.leader != report.leader);
        let fresh = match &member.told {
            Some(told) => report.decisions.iter().rposition(|decision| decision == told).map_or(0, |at| at + 1),
            None => 0,
        };
        let decisions: Vec<Decision> = report.decisions[fresh..].to_vec();
        member.told = report.decisions.last().cloned().or(member.told.take());
        member.id.clone_from(&report.id);
        member.report = Some(report);
        for decision in decisions {
            let sentence = Sentence { wall_ms: decision.wall_ms, text: self.sentence(index, &decision.text) };
            self.tell(sentence.clone());
            news.push(News::Decided(sentence));
        }
        if changed {
            news.push(News::Role { member: index });
        }
        news
    }

    /// The member that leads: it says so itself, and of several that do, the one with the highest term is right.
    pub(super) fn leader(&self) -> Option<&Member> {
        let leads = |member: &&Member| member.answers() && member.report.as_ref().is_some_and(|report| report.role == "leader");
        self.members.iter().filter(leads).max_by_key(|member| member.report.as_ref().map(|report| report.term))
    }

    /// Whether somebody leads and every member that runs follows.
    pub(super) fn is_settled(&self) -> bool {
        let Some(leader) = self.leader().and_then(|leader| leader.report.as_ref()) else { return false };
        self.members.iter().all(|member| {
            let follows = |report: &Report| report.leader.as_ref() == Some(&leader.id) && report.term == leader.term;
            member.answers() && member.report.as_ref().is_some_and(follows)
        })
    }

    /// Puts a sentence where it belongs: members are heard one after the other, whatever came first.
    fn tell(&mut self, sentence: Sentence) {
        let at = self.story.iter().rposition(|earlier| earlier.wall_ms <= sentence.wall_ms).map_or(0, |at| at + 1);
        self.story.insert(at, sentence);
        if self.story.len() > SENTENCES_KEPT {
            self.story.pop_front();
        }
    }

    /// "m2 stood for election in term 3: its link to m1 was refused".
    fn sentence(&self, member: usize, text: &str) -> String {
        // A ZooKeeper server's id is a small number, which may mean anything in a sentence.
        if self.flavor == Flavor::Zookeeper {
            return format!("{} (server {}): {text}", self.members[member].name, self.members[member].id);
        }
        let mut sentence = format!("{} {text}", self.members[member].name);
        for member in self.members.iter().filter(|member| !member.id.is_empty()) {
            sentence = sentence.replace(&member.id, &member.name);
        }
        sentence
    }
}

impl Member {
    pub(super) fn answers(&self) -> bool {
        matches!(self.state, State::Running { answers: true, .. })
    }

    pub(super) fn pid(&self) -> Option<u32> {
        match self.state {
            State::Running { pid, .. } => Some(pid),
            State::Down { .. } => None,
        }
    }

    /// Its process, if it was started here.
    pub(super) fn own_pid(&self) -> Option<u32> {
        match self.state {
            State::Running { pid, ours: true, .. } => Some(pid),
            _ => None,
        }
    }

    /// One word: its role, or why it has none.
    pub(super) fn role(&self) -> &str {
        match (&self.state, &self.report) {
            (State::Down { .. }, _) => "down",
            (State::Running { answers: false, .. }, None) => "starting",
            (State::Running { answers: false, .. }, Some(_)) => "silent",
            (State::Running { .. }, Some(report)) => &report.role,
            (State::Running { .. }, None) => "starting",
        }
    }
}

/// Now, in milliseconds since 1970.
pub(super) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: [&str; 3] = ["8e9e05c52164694d", "91bc3c398fb3c146", "fd422379fda50e48"];

    fn board() -> Board {
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let mut board = Board::new(Flavor::Etcd, (1..=3).map(|i| (format!("m{i}"), url(i), url(i + 10))));
        for (i, id) in IDS.iter().enumerate() {
            board.started(i, 100 + i as u32);
            board.heard(i, Some(report(id, if i == 0 { "leader" } else { "follower" }, 2, IDS[0], &[])));
        }
        board
    }

    fn report(id: &str, role: &str, term: u64, leader: &str, decisions: &[&str]) -> Report {
        let decisions = decisions.iter().map(|text| Decision { wall_ms: 1, text: (*text).to_owned() }).collect();
        Report { id: id.to_owned(), role: role.to_owned(), term, leader: Some(leader.to_owned()), decisions, ..Report::default() }
    }

    #[test]
    fn the_cluster_is_settled_when_all_follow_one_leader() {
        let mut board = board();
        assert!(board.is_settled());
        assert_eq!(board.leader().map(|leader| leader.name.as_str()), Some("m1"));
        board.ended(0, "killed by signal 9".to_owned(), None);
        assert!(board.leader().is_none() && !board.is_settled());
        assert_eq!(board.members[0].role(), "down");
    }

    #[test]
    fn of_two_that_claim_to_lead_the_later_term_is_right() {
        let mut board = board();
        board.heard(1, Some(report(IDS[1], "leader", 3, IDS[1], &[])));
        assert_eq!(board.leader().map(|leader| leader.name.as_str()), Some("m2"));
    }

    #[test]
    fn a_decision_is_told_once_and_with_names_also_of_the_dead() {
        let mut board = board();
        board.ended(0, "killed by signal 9".to_owned(), None);
        let decision = format!("stood for election in term 3: its link to {} was refused", IDS[0]);
        let news = board.heard(1, Some(report(IDS[1], "candidate", 3, "", &[&decision])));
        let text = "m2 stood for election in term 3: its link to m1 was refused".to_owned();
        assert_eq!(news, [News::Decided(Sentence { wall_ms: 1, text: text.clone() }), News::Role { member: 1 }]);
        let news = board.heard(1, Some(report(IDS[1], "candidate", 3, "", &[&decision])));
        assert_eq!(news, []);
        // It was decided long before m1 was seen to be down.
        let story: Vec<&str> = board.story.iter().map(|sentence| sentence.text.as_str()).collect();
        assert_eq!(story, [text.as_str(), "m1 is down: killed by signal 9"]);
    }

    #[test]
    fn a_member_that_stops_answering_is_told_once() {
        let mut board = board();
        assert_eq!(board.heard(2, None), [News::Silent { member: 2 }]);
        assert_eq!(board.heard(2, None), []);
        assert_eq!((board.members[2].role(), board.is_settled()), ("silent", false));
        board.heard(2, Some(report(IDS[2], "follower", 2, IDS[0], &[])));
        assert!(board.is_settled());
    }

    #[test]
    fn a_member_that_was_started_by_hand_is_seen() {
        let mut board = board();
        board.ended(1, "exit code 1".to_owned(), None);
        board.heard(1, Some(Report { pid: 101, ..report(IDS[1], "follower", 2, IDS[0], &[]) }));
        assert_eq!(board.members[1].role(), "down", "a dead process's last answer came late");
        board.heard(1, Some(Report { pid: 4711, ..report(IDS[1], "follower", 2, IDS[0], &[]) }));
        assert_eq!((board.members[1].pid(), board.members[1].own_pid()), (Some(4711), None));
        board.heard(1, None);
        assert_eq!(board.members[1].role(), "down");
    }
}
