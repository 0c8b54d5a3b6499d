//! Whether a watcher was told everything that happened to its keys, once and in order, over all its resumptions.

use crate::chaos::linear::Log;
use crate::chaos::model::{Change, Held, Key};

/// One thing that a watcher heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    Event {
        revision: i64,
        key: Key,
        now: Option<Held>,
        /// What was there before, for those who asked.
        before: Option<Held>,
        /// When, on the test's clock.
        at: u64,
        /// The number of the response that carried it.
        response: u32,
    },
    /// A progress notification: everything up to this revision was heard.
    Bookmark { revision: i64 },
    /// What it wanted next was compacted; it goes on at this revision.
    Jump { to: i64 },
}

/// A watcher's life.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    pub name: String,
    pub from: Key,
    pub to: Key,
    pub before: bool,
    pub puts: bool,
    pub deletes: bool,
    /// The first revision that it asked for.
    pub start: i64,
    pub heard: Vec<Heard>,
    /// Up to which revision it waited to hear everything.
    pub end: i64,
    /// How often it asked anew, on whichever member.
    pub resumed: u32,
}

/// The first contradiction between what happened and what the watcher heard. `compacted`: when which compactions were asked for.
pub fn check(log: &Log, watched: &Watched, compacted: &[(u64, i64)]) -> Result<(), String> {
    let wrong = |what: String| {
        Err(format!("watcher {} ({:08}..{:08} from {}): {what}", watched.name, watched.from, watched.to, watched.start))
    };
    let wanted = |change: &Change| {
        (watched.from..watched.to).contains(&change.key) && if change.now.is_some() { watched.puts } else { watched.deletes }
    };
    let mut expected = log.from(watched.start).filter(|(_, change)| wanted(change)).peekable();
    // The last event, and the response that carried it; up to where it was told that it had heard everything.
    let mut last: Option<(i64, Key, u32)> = None;
    let mut complete = watched.start - 1;
    for heard in &watched.heard {
        match *heard {
            Heard::Event { revision, key, now, before, at, response } => {
                if let Some((last_revision, last_key, last_response)) = last {
                    if (revision, key) == (last_revision, last_key) {
                        return wrong(format!("the event of {key:08} at {revision} was doubled"));
                    }
                    if revision < last_revision {
                        return wrong(format!(
                            "the event of {key:08} at {revision} came after {last_revision}: doubled or out of order"
                        ));
                    }
                    if revision == last_revision && response != last_response {
                        return wrong(format!("revision {revision} was split over two responses"));
                    }
                }
                if revision <= complete {
                    return wrong(format!("the event of {key:08} at {revision} came after a bookmark at {complete}"));
                }
                match expected.next() {
                    None => return wrong(format!("{key:08} = {now:?} at {revision} never happened")),
                    Some((at, change)) if (at, change.key) != (revision, key) => {
                        let what = if (at, change.key) < (revision, key) { "lost" } else { "never there, or out of order" };
                        return wrong(format!(
                            "an event was {what}: heard {key:08} at {revision}, expected {:08} at {at}",
                            change.key
                        ));
                    }
                    Some((_, change)) if change.now != now => {
                        return wrong(format!("{key:08} at {revision} was {:?}, and heard as {now:?}", change.now));
                    }
                    // What was there before may have been compacted by the time at which a watcher that is behind hears of it.
                    Some((_, change))
                        if watched.before
                            && change.before != before
                            && !(before.is_none() && compacted.iter().any(|&(called, upto)| called < at && upto >= revision)) =>
                    {
                        return wrong(format!("before {revision} {key:08} was {:?}, and heard as {before:?}", change.before));
                    }
                    Some(_) => {}
                }
                last = Some((revision, key, response));
            }
            Heard::Bookmark { revision } => {
                if let Some((at, change)) = expected.next_if(|(at, _)| *at <= revision) {
                    return wrong(format!("an event was lost: a bookmark at {revision} came before {:08} at {at}", change.key));
                }
                complete = complete.max(revision);
            }
            Heard::Jump { to } => while expected.next_if(|(at, _)| *at < to).is_some() {},
        }
    }
    match expected.next_if(|(at, _)| *at <= watched.end) {
        Some((at, change)) => {
            wrong(format!("an event was lost: {:08} at {at}; it waited for all up to {}", change.key, watched.end))
        }
        None => Ok(()),
    }
}
