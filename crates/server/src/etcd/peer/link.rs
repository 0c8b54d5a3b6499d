//! Whether another member's process is there, judged by its connections.
//!
//! A link stands as long as any stream between two members does. When one ends by FIN or RST, every address of the peer is tried
//! at once: if each refuses the connection, no process listens there any more, and the link is *refused*. That is how a follower
//! learns of its leader's death a thousand times sooner than by silence.
//!
//! ```text
//!              a stream stands                     a stream ends
//!   down ─────────────────────────▶ up ──────────────────────────────▶ probing
//!    ▲  ▲                           ▲ ▲                                   │
//!    │  │      (Connected)          │ └──── others stand, someone listens ┤
//!    │  │                           └────── a new stream stands ──────────┤
//!    │  └───────────── (Disconnected: Lost) ──── none stands, someone ────┤
//!    └──────────────── (Disconnected: Refused) ─ every address refuses ───┘
//! ```

use super::super::address::resolve;
use super::inbox::{Inbox, PeerEvent};
use super::outbox::weight;
use super::snapshot::Turn;
use consensus::{How, NodeId};
use etcd::peer::Envelope;
use etcd::url::Url;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::net::TcpStream;

/// A dying process closes its sockets one after the other, and its listener may be the last: who still accepts is asked again
/// after these pauses.
const SECOND_LOOKS: [Duration; 4] =
    [Duration::from_millis(1), Duration::from_millis(4), Duration::from_millis(20), Duration::from_millis(60)];

/// The link to one peer.
#[derive(Debug)]
pub(crate) struct Link {
    peer: NodeId,
    urls: Vec<Url>,
    dial_timeout: Duration,
    inbox: Inbox,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Grows whenever the link is reported lost; what streams of an earlier generation bring is void.
    generation: u64,
    /// Streams of this generation.
    standing: usize,
    /// Reported as connected.
    up: bool,
    /// A stream was ended by the other side since the link last stood whole, and nobody knows yet whether it was its death.
    suspected: bool,
    probing: bool,
    incarnation: u64,
}

/// A stream that stands; its end is told by [`Standing::end`] or, if it just goes away, by the drop.
#[derive(Debug)]
pub(crate) struct Standing {
    link: Arc<Link>,
    generation: u64,
    end: End,
}

/// How a stream ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// By FIN or RST.
    Closed,
    /// By silence, or because this side had enough of it.
    Abandoned,
}

impl Link {
    pub(crate) fn new(peer: NodeId, urls: Vec<Url>, dial_timeout: Duration, inbox: Inbox) -> Arc<Link> {
        Arc::new(Link { peer, urls, dial_timeout, inbox, state: Mutex::default() })
    }

    /// A stream to or from the peer's process `incarnation` stands now.
    pub(crate) fn stand(self: &Arc<Link>, incarnation: u64) -> Standing {
        let mut state = self.state();
        // Another process than the one before: the old one is gone, even if its streams have not ended here yet.
        if state.up && incarnation != 0 && state.incarnation != 0 && incarnation != state.incarnation {
            self.report_down(&mut state, How::Lost);
        }
        state.standing += 1;
        state.suspected = false;
        if !state.up {
            state.up = true;
            state.incarnation = incarnation;
            self.inbox.put(PeerEvent::Connected { peer: self.peer, incarnation });
        }
        Standing { link: self.clone(), generation: state.generation, end: End::Closed }
    }

    /// Hands over a message that the peer's process `incarnation` sent in a request of its own, beside all streams. It is lost if it
    /// waited until another process answered for the peer: what a member confirmed may be gone with its disk.
    pub(crate) async fn deliver_posted(&self, envelope: Envelope, incarnation: u64) {
        let Envelope { from, message, .. } = envelope;
        let room = self.inbox.room(weight(&message)).await;
        let state = self.state();
        let other_process = incarnation != 0 && state.incarnation != 0 && incarnation != state.incarnation;
        if !other_process {
            self.inbox.put(PeerEvent::Received { from, message, room });
        }
    }

    /// Says that the peer's snapshot is here whole.
    pub(crate) fn snapshot_arrived(&self, envelope: Envelope, turn: Turn) {
        self.inbox.put(PeerEvent::SnapshotArrived { from: envelope.from, message: envelope.message, turn });
    }

    /// The peer's process, as it names itself: 0 for a Go member, and before any stream stood.
    pub(crate) fn incarnation(&self) -> u64 {
        self.state().incarnation
    }

    /// Dialling the peer was refused. If its streams ended before, this may be the proof that its process is gone.
    pub(crate) fn dial_refused(self: &Arc<Link>) {
        let mut state = self.state();
        if state.suspected && state.standing == 0 {
            self.probe(&mut state);
        }
    }

    fn ended(self: &Arc<Link>, generation: u64, end: End) {
        let mut state = self.state();
        if generation != state.generation {
            return;
        }
        state.standing -= 1;
        if end == End::Closed {
            state.suspected = true;
            self.probe(&mut state);
        }
        if state.standing == 0 && !state.probing {
            self.report_down(&mut state, How::Lost);
        }
    }

    fn probe(self: &Arc<Link>, state: &mut State) {
        // Without a runtime the whole member is going away.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !state.probing {
            state.probing = true;
            runtime.spawn(self.clone().probe_until_clear());
        }
    }

    async fn probe_until_clear(self: Arc<Link>) {
        for pause in [Duration::ZERO].into_iter().chain(SECOND_LOOKS) {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let refused = nobody_listens(&self.urls, self.dial_timeout).await;
            let mut state = self.state();
            if !state.suspected {
                break; // a new stream stands meanwhile
            }
            if refused {
                state.suspected = false;
                state.probing = false;
                self.report_down(&mut state, How::Refused);
                return;
            }
            if state.standing == 0 && state.up {
                self.report_down(&mut state, How::Lost);
            }
        }
        let mut state = self.state();
        state.probing = false;
        if state.standing == 0 && state.up {
            self.report_down(&mut state, How::Lost);
        }
    }

    /// Says that the link is gone. `Refused` is also said of a link that was only known as lost before.
    fn report_down(&self, state: &mut State, how: How) {
        if state.up || how == How::Refused {
            self.inbox.put(PeerEvent::Disconnected { peer: self.peer, how });
        }
        state.up = false;
        state.standing = 0;
        state.generation += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }
}

impl Standing {
    /// Hands a message over to the replica; false if the link was lost meanwhile, and the stream with it.
    pub(crate) async fn deliver(&self, envelope: Envelope) -> bool {
        let Envelope { from, message, .. } = envelope;
        let room = self.link.inbox.room(weight(&message)).await;
        // Judged and put under one lock: after `Disconnected` nothing of that link may come.
        let state = self.link.state();
        let valid = state.generation == self.generation;
        if valid {
            self.link.inbox.put(PeerEvent::Received { from, message, room });
        }
        valid
    }

    /// Whether the link has been reported as lost since this stream stood.
    pub(crate) fn is_void(&self) -> bool {
        self.link.state().generation != self.generation
    }

    /// The stream is over.
    pub(crate) fn end(mut self, end: End) {
        self.end = end;
    }

    /// What the end will count as, if the stream just goes away.
    pub(crate) fn set_end(&mut self, end: End) {
        self.end = end;
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.link.ended(self.generation, self.end);
    }
}

/// Whether a fresh connection to every address of the peer is refused. Time-outs, unreachable networks and names that do not
/// resolve prove nothing.
async fn nobody_listens(urls: &[Url], dial_timeout: Duration) -> bool {
    let mut asked = 0;
    for url in urls {
        let Ok(addresses) = resolve(url).await else { return false };
        for address in addresses {
            asked += 1;
            match tokio::time::timeout(dial_timeout, TcpStream::connect(address)).await {
                Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {}
                _ => return false,
            }
        }
    }
    asked > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    const PEER: NodeId = NodeId(7);

    async fn link_to(port: u16) -> (Arc<Link>, UnboundedReceiver<PeerEvent>) {
        let (events, received) = unbounded_channel();
        let url = Url::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        (Link::new(PEER, vec![url], Duration::from_secs(1), Inbox::new(events)), received)
    }

    async fn listener() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    async fn disconnected(events: &mut UnboundedReceiver<PeerEvent>) -> How {
        loop {
            if let Some(PeerEvent::Disconnected { how, .. }) = events.recv().await {
                return how;
            }
        }
    }

    #[tokio::test]
    async fn a_process_that_is_gone_is_refused() {
        let (listener, port) = listener().await;
        let (link, mut events) = link_to(port).await;
        let stream = link.stand(1);
        drop(listener);
        stream.end(End::Closed);
        assert_eq!(disconnected(&mut events).await, How::Refused);
    }

    #[tokio::test]
    async fn who_still_listens_is_only_lost() {
        let (_listener, port) = listener().await;
        let (link, mut events) = link_to(port).await;
        link.stand(1).end(End::Closed);
        assert_eq!(disconnected(&mut events).await, How::Lost);
    }

    #[tokio::test]
    async fn a_listener_that_closes_last_is_seen_at_a_second_look() {
        let (listener, port) = listener().await;
        let (link, mut events) = link_to(port).await;
        link.stand(1).end(End::Closed);
        assert_eq!(disconnected(&mut events).await, How::Lost);
        drop(listener);
        assert_eq!(disconnected(&mut events).await, How::Refused);
    }

    #[tokio::test]
    async fn silence_proves_nothing() {
        let (listener, port) = listener().await;
        drop(listener);
        let (link, mut events) = link_to(port).await;
        link.stand(1).end(End::Abandoned);
        assert_eq!(disconnected(&mut events).await, How::Lost);
    }

    #[tokio::test]
    async fn one_stream_of_two_may_end_without_a_word() {
        let (_listener, port) = listener().await;
        let (link, mut events) = link_to(port).await;
        let stays = link.stand(1);
        link.stand(1).end(End::Closed);
        while link.state().probing {
            tokio::task::yield_now().await;
        }
        assert!(matches!(events.try_recv(), Ok(PeerEvent::Connected { incarnation: 1, .. })));
        assert!(events.try_recv().is_err(), "the link still stands");
        assert!(!stays.is_void());
    }

    #[tokio::test]
    async fn another_process_makes_the_old_streams_void() {
        let (_listener, port) = listener().await;
        let (link, mut events) = link_to(port).await;
        let old = link.stand(1);
        let new = link.stand(2);
        assert!(old.is_void() && !new.is_void());
        assert!(matches!(events.try_recv(), Ok(PeerEvent::Connected { incarnation: 1, .. })));
        assert!(matches!(events.try_recv(), Ok(PeerEvent::Disconnected { how: How::Lost, .. })));
        assert!(matches!(events.try_recv(), Ok(PeerEvent::Connected { incarnation: 2, .. })));
        drop(old);
        assert!(events.try_recv().is_err(), "the end of a void stream says nothing");
    }

    #[tokio::test]
    async fn what_a_process_posted_is_lost_once_another_answers_for_its_member() {
        let (_listener, port) = listener().await;
        let (link, mut events) = link_to(port).await;
        let message = || raft::Message { term: 1, body: raft::Body::Appended { upto: 7 } };
        let envelope = || Envelope { from: NodeId(2), to: NodeId(1), message: message() };
        let _new = link.stand(2);
        assert!(matches!(events.try_recv(), Ok(PeerEvent::Connected { incarnation: 2, .. })));
        link.deliver_posted(envelope(), 1).await;
        assert!(events.try_recv().is_err());
        // A Go member does not say which process it is.
        for incarnation in [2, 0] {
            link.deliver_posted(envelope(), incarnation).await;
            assert!(matches!(events.try_recv(), Ok(PeerEvent::Received { .. })));
        }
    }
}
