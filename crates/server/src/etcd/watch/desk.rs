//! The desk: all watches of the member, and who is told what they say.

use super::super::clock::Clock;
use super::super::metrics::Metrics;
use super::{Request, Said, WatchAsk};
use consensus::Instant;
use etcd::error::Known;
use keyspace::{Keyspace, Page, StreamId, Values, Want, WatchNews, WatchResponse, Watches};
use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

/// So many asks are taken at a time.
const BATCH: usize = 1024;
/// A stream that requires a leader ends after so many election timeouts without one (etcd's maxNoLeaderCnt).
const ELECTIONS_WITHOUT_LEADER: u32 = 3;

/// A stream, as the desk knows it.
struct Outlet {
    said: mpsc::UnboundedSender<Said>,
    requires_leader: bool,
}

/// All watches of the member.
pub(crate) struct Desk {
    watches: Watches,
    outlets: HashMap<StreamId, Outlet>,
    asks: mpsc::UnboundedReceiver<WatchAsk>,
    /// What was asked and not looked at yet.
    taken: Vec<WatchAsk>,
    /// A page that was read and not looked at yet.
    page: Option<Page>,
    /// What is to be said.
    saying: Vec<(StreamId, Said)>,
    clock: Clock,
    election_timeout: Duration,
    /// Since when there is no leader.
    leaderless: Option<Instant>,
    stopped: bool,
    metrics: Arc<Metrics>,
}

impl Desk {
    /// A desk that takes these asks, for no watches yet.
    pub(crate) fn new(
        watches: Watches,
        asks: mpsc::UnboundedReceiver<WatchAsk>,
        clock: Clock,
        election_timeout: Duration,
        metrics: Arc<Metrics>,
    ) -> Desk {
        Desk {
            watches,
            outlets: HashMap::new(),
            asks,
            taken: Vec::new(),
            page: None,
            saying: Vec::new(),
            clock,
            election_timeout,
            leaderless: None,
            stopped: false,
            metrics,
        }
    }

    /// Takes what was asked; true if there is anything.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        matches!(self.asks.poll_recv_many(cx, &mut self.taken, BATCH), Poll::Ready(count) if count > 0)
    }

    /// When to take the next turn if nothing else comes first.
    pub(crate) fn deadline(&self) -> Instant {
        self.watches.deadline().min(self.patience())
    }

    /// Takes the page that was asked for.
    pub(crate) fn supply(&mut self, page: Page) {
        self.page = Some(page);
    }

    /// Looks at what the machine has applied, and at what was asked. Comes after every turn of the replica, before the machine sweeps.
    /// Returns a page of the history that has to be read. Nothing is said before [`Desk::hand_out`].
    pub(crate) fn turn<V: Values>(&mut self, machine: &Keyspace<V>, has_leader: bool) -> Option<Want> {
        let now = self.clock.now();
        self.watches.advance(now, machine);
        if let Some(page) = self.page.take() {
            self.watches.supply(machine, page);
        }
        self.collect();
        for ask in std::mem::take(&mut self.taken) {
            self.on_ask(now, ask);
        }
        let want = self.watches.replay(machine);
        self.collect();
        self.note_leader(now, has_leader);
        self.metrics.watches.note(self.watches.streams(), self.watches.watchers(), self.watches.behind());
        want
    }

    /// Gives each stream what it is to be told.
    pub(crate) fn hand_out(&mut self) {
        for (stream, said) in self.saying.drain(..) {
            let Some(outlet) = self.outlets.get(&stream) else { continue };
            let events = match &said {
                Said::News(WatchResponse { what: WatchNews::Events { events, .. }, .. }) => events.len(),
                _ => 0,
            };
            let ends = matches!(said, Said::End(_));
            // A stream that is gone is about to say so.
            if outlet.said.send(said).is_ok() {
                self.metrics.watches.pending(events);
            }
            if ends {
                self.outlets.remove(&stream);
            }
        }
    }

    fn on_ask(&mut self, now: Instant, ask: WatchAsk) {
        match ask {
            WatchAsk::Open { said, .. } if self.stopped => {
                let _ = said.send(Said::End(Known::Stopped));
            }
            WatchAsk::Open { stream, said, requires_leader } => {
                self.watches.open(now, stream);
                self.outlets.insert(stream, Outlet { said, requires_leader });
            }
            WatchAsk::Request(stream, request) => {
                match request {
                    Request::Create(request) => self.watches.create(now, stream, request),
                    Request::Cancel(id) => self.watches.cancel(stream, id),
                    Request::Progress => self.watches.request_progress(stream),
                }
                // All three answer at once, with one response, or never.
                let answer = self.watches.responses().next().map(|(_, response)| response);
                self.saying.push((stream, Said::Answer(answer)));
            }
            WatchAsk::Took(stream, bytes) => self.watches.took(stream, bytes),
            WatchAsk::Close(stream) => {
                self.watches.close(stream);
                self.outlets.remove(&stream);
            }
            WatchAsk::Stop => {
                self.stopped = true;
                self.end(Known::Stopped, |_| true);
            }
        }
    }

    /// What the watches said is news.
    fn collect(&mut self) {
        self.saying.extend(self.watches.responses().map(|(stream, response)| (stream, Said::News(response))));
    }

    /// Ends the streams that require a leader when there has been none for long: their clients find a member that has one
    /// (v3rpc's monitorLeader).
    fn note_leader(&mut self, now: Instant, has_leader: bool) {
        if has_leader {
            self.leaderless = None;
            return;
        }
        self.leaderless.get_or_insert(now);
        if self.patience() <= now {
            self.end(Known::NoLeader, |outlet| outlet.requires_leader);
        }
    }

    /// Until when streams that require a leader do without.
    fn patience(&self) -> Instant {
        match self.leaderless {
            Some(since) if self.outlets.values().any(|outlet| outlet.requires_leader) => {
                since + ELECTIONS_WITHOUT_LEADER * self.election_timeout
            }
            _ => Instant::NEVER,
        }
    }

    fn end(&mut self, why: Known, whom: impl Fn(&Outlet) -> bool) {
        for (&stream, _) in self.outlets.iter().filter(|(_, outlet)| whom(outlet)) {
            self.saying.push((stream, Said::End(why)));
            self.watches.close(stream);
        }
    }
}
