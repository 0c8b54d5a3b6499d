//! What waits to be written into a stream that a peer opened to us.

use bytes::Bytes;
use raft::{Body, Message};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

/// The most messages that wait, as in etcd.
const MESSAGES_MAX: usize = 4096;
/// Once so many bytes wait, which is more than raft ever keeps in flight to one follower, no more are taken. Until then a message of any
/// size is: one that was refused for its size would be sent again and refused for ever, and nothing would come after it.
const BYTES_MAX: usize = 32 << 20;

/// The queue of one stream. Only one connection drains it at a time: a newer one takes over from the older.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Numbers the connections; 0 before the first.
    attachment: u64,
    attached: bool,
    queue: VecDeque<Message>,
    bytes: usize,
    waker: Option<Waker>,
}

/// What became of a message.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Push {
    /// It will be written.
    Queued,
    /// Nobody reads this stream; it may go another way.
    Detached(Message),
    /// Too much waits already; it is gone.
    Full,
}

/// The right to drain the queue, until a newer connection takes it.
#[derive(Debug)]
pub(crate) struct Attachment {
    outbox: Arc<Outbox>,
    number: u64,
}

impl Outbox {
    /// Gives the queue, emptied, to a new connection. What waited was meant for a connection that is no more.
    pub(crate) fn attach(self: &Arc<Outbox>) -> Attachment {
        let mut state = self.state();
        state.attachment += 1;
        state.attached = true;
        state.queue.clear();
        state.bytes = 0;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
        Attachment { outbox: self.clone(), number: state.attachment }
    }

    /// Queues a message for whoever drains.
    pub(crate) fn push(&self, message: Message) -> Push {
        let mut state = self.state();
        if !state.attached {
            return Push::Detached(message);
        }
        if state.queue.len() >= MESSAGES_MAX || state.bytes >= BYTES_MAX {
            return Push::Full;
        }
        state.bytes += weight(&message);
        state.queue.push_back(message);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
        Push::Queued
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }
}

impl Attachment {
    /// The next message; pending if there is none, `None` once another connection has taken over.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        let mut state = self.outbox.state();
        if state.attachment != self.number {
            return Poll::Ready(None);
        }
        if let Some(message) = state.queue.pop_front() {
            state.bytes -= weight(&message);
            return Poll::Ready(Some(message));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let mut state = self.outbox.state();
        if state.attachment == self.number {
            *state = State { attachment: self.number, ..State::default() };
        }
    }
}

/// About how many bytes a message takes.
pub(crate) fn weight(message: &Message) -> usize {
    64 + match &message.body {
        Body::Append { entries, .. } => entries.iter().map(|entry| 32 + entry.data.len()).sum(),
        Body::Propose { proposals } => proposals.iter().map(|(_, data)| 32 + data.len()).sum(),
        Body::Heartbeat { context, .. }
        | Body::HeartbeatAck { context }
        | Body::ReadIndex { context }
        | Body::ReadIndexReady { context, .. } => Bytes::len(context),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use consensus::{Entry, EntryKind, Position};
    use std::task::Waker;

    fn message(term: u64) -> Message {
        Message { term, body: Body::TimeoutNow }
    }

    fn next(attachment: &Attachment) -> Poll<Option<u64>> {
        let mut cx = Context::from_waker(Waker::noop());
        attachment.poll_next(&mut cx).map(|message| message.map(|message| message.term))
    }

    #[test]
    fn a_newer_connection_takes_over_an_empty_queue() {
        let outbox = Arc::new(Outbox::default());
        assert_eq!(outbox.push(message(1)), Push::Detached(message(1)));
        let older = outbox.attach();
        assert_eq!(outbox.push(message(2)), Push::Queued);
        let newer = outbox.attach();
        assert_eq!(next(&older), Poll::Ready(None));
        assert_eq!(next(&newer), Poll::Pending);
        drop(older);
        assert_eq!(outbox.push(message(3)), Push::Queued);
        assert_eq!(next(&newer), Poll::Ready(Some(3)));
        drop(newer);
        assert_eq!(outbox.push(message(4)), Push::Detached(message(4)));
    }

    #[test]
    fn what_is_over_the_bound_is_dropped() {
        let outbox = Arc::new(Outbox::default());
        let _attachment = outbox.attach();
        for term in 0..MESSAGES_MAX as u64 {
            assert_eq!(outbox.push(message(term)), Push::Queued);
        }
        assert_eq!(outbox.push(message(0)), Push::Full);
    }

    #[test]
    fn a_message_that_is_larger_than_the_bound_goes_alone() {
        let outbox = Arc::new(Outbox::default());
        let attachment = outbox.attach();
        let position = Position::new(1, 1);
        let data = Bytes::from(vec![0; BYTES_MAX + 1]);
        let entry = Entry { position, kind: EntryKind::Command, data };
        let append = Body::Append { previous: Position::ZERO, entries: vec![entry], commit: 0 };
        let large = Message { term: 1, body: append };
        assert_eq!(outbox.push(large.clone()), Push::Queued);
        assert_eq!(outbox.push(large.clone()), Push::Full);
        assert_eq!(outbox.push(message(2)), Push::Full);
        assert_eq!(next(&attachment), Poll::Ready(Some(1)));
        assert_eq!(outbox.push(message(2)), Push::Queued);
        assert_eq!(outbox.push(large), Push::Queued);
    }
}
