//! What a command has brought about, line by line.

use crate::words;
use consensus::{Instant, NodeId};
use std::collections::BTreeMap;

/// The lines that a command prints.
#[derive(Default)]
pub(crate) struct Transcript {
    lines: Vec<String>,
    /// The moment under which the last line stands; a later one gets a heading.
    shown: Instant,
    /// Messages that were not told one by one, by their name and fate.
    routine: BTreeMap<(&'static str, Fate), Counts>,
}

/// What became of a message that is only counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// It is under way.
    Sent,
    /// It arrived and changed nothing.
    Arrived,
    /// It was lost.
    Lost,
}

/// How many messages went from whom to whom.
type Counts = BTreeMap<(NodeId, NodeId), usize>;

impl Transcript {
    /// Adds a line about what happened at `now`.
    pub(crate) fn say(&mut self, now: Instant, line: String) {
        // A nanosecond is not worth a heading: it is the difference between "an election timeout" and "more than that".
        if words::moment(now) != words::moment(self.shown) {
            self.lines.push(format!("at {}", words::moment(now)));
        }
        self.shown = now;
        self.lines.push(line);
    }

    /// Adds a line about no moment in particular.
    pub(crate) fn state(&mut self, line: String) {
        self.lines.push(line);
    }

    /// How many lines there are, to ask later whether anything was said in between.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Puts a line above those that were added since there were `at`, and these below it, since they follow from it.
    pub(crate) fn say_before(&mut self, at: usize, line: String) {
        // But below the heading, if what came since has one.
        let at = at + usize::from(self.lines.get(at).is_some_and(|line| line.starts_with("at ")));
        for effect in &mut self.lines[at..] {
            effect.insert_str(0, "  ");
        }
        self.lines.insert(at, line);
    }

    /// Counts a message instead of telling of it.
    pub(crate) fn count(&mut self, from: NodeId, to: NodeId, name: &'static str, fate: Fate) {
        *self.routine.entry((name, fate)).or_default().entry((from, to)).or_default() += 1;
    }

    /// Everything, to be printed.
    pub(crate) fn finish(&mut self) -> String {
        for ((name, fate), links) in std::mem::take(&mut self.routine) {
            let verb = match fate {
                Fate::Sent => "sent",
                Fate::Arrived => "arrived, changing nothing",
                Fate::Lost => "lost",
            };
            let links: Vec<String> = links.into_iter().map(|((from, to), n)| format!("{from} → {to} {n}×")).collect();
            self.lines.push(format!("({name} {verb}: {})", links.join(", ")));
        }
        let mut text = self.lines.join("\n");
        self.lines.clear();
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }
}
