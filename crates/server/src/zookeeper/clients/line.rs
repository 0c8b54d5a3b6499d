//! A connection's socket, and the task that waits for it.
//!
//! What is to be sent is offered to the socket at once, by whoever has something to say; the task only waits: for bytes from the client,
//! for room where the socket took not all, and for a wink from the desk when what was held back may go on.

use super::Front;
use super::connection::ConnectionId;
use bytes::{Buf, BytesMut};
use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// A client that was told goodbye may take so long to close its side: what it has sent meanwhile must not make the kernel throw away
/// what it was told last.
const FAREWELL_PATIENCE: Duration = Duration::from_secs(1);
/// Reads of one client before others have their turn.
const READS_PER_TURN: usize = 4;

/// The writing side of a connection's socket.
pub(super) struct Line {
    writer: RefCell<Option<OwnedWriteHalf>>,
    /// The socket takes no more for now.
    is_full: Cell<bool>,
    /// There is more to do for this client than was done in its turn.
    has_more: Cell<bool>,
    /// The task does not listen, since the desk wants no more for now.
    is_deaf: Cell<bool>,
    /// Who waits for the socket.
    task: RefCell<Option<Waker>>,
}

/// How an attempt to send ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sent {
    /// Everything is gone.
    All,
    /// The socket takes no more for now.
    Part,
    /// Nobody is there any more.
    Broken,
}

impl Line {
    fn new(writer: OwnedWriteHalf) -> Line {
        Line {
            writer: RefCell::new(Some(writer)),
            is_full: Cell::new(false),
            has_more: Cell::new(false),
            is_deaf: Cell::new(false),
            task: RefCell::default(),
        }
    }

    /// Sends what the socket takes of `output`.
    pub(super) fn send(&self, output: &mut BytesMut) -> Sent {
        let writer = self.writer.borrow();
        let Some(writer) = writer.as_ref() else { return Sent::Broken };
        while !output.is_empty() {
            if self.is_full.get() {
                return Sent::Part;
            }
            match writer.try_write(output) {
                Ok(0) => return Sent::Broken,
                Ok(sent) => output.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_full.set(true);
                    self.wink();
                    return Sent::Part;
                }
                Err(_) => return Sent::Broken,
            }
        }
        Sent::All
    }

    /// Says that there is no more to come.
    pub(super) fn hang_up(&self) {
        // Dropping the half tells the client so.
        self.writer.borrow_mut().take();
        self.wink();
    }

    /// The desk may want to hear more again: if the task has stopped listening, it is to ask.
    pub(super) fn may_listen(&self) {
        if self.is_deaf.get() {
            self.wink();
        }
    }

    /// There is more to do for this client, once others had their turn.
    pub(super) fn come_again(&self) {
        self.has_more.set(true);
        self.wink();
    }

    /// Wakes the task.
    fn wink(&self) {
        if let Some(task) = self.task.borrow_mut().take() {
            task.wake();
        }
    }

    fn is_over(&self) -> bool {
        self.writer.borrow().is_none()
    }

    fn park(&self, waker: &Waker) {
        let mut task = self.task.borrow_mut();
        if !task.as_ref().is_some_and(|parked| parked.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }

    /// Whether a full socket has room again.
    fn poll_room(&self, context: &mut Context<'_>) -> Poll<()> {
        let writer = self.writer.borrow();
        let Some(writer) = writer.as_ref() else { return Poll::Pending };
        // An error shows with the next attempt to send.
        let _ = ready!(writer.as_ref().poll_write_ready(context));
        self.is_full.set(false);
        Poll::Ready(())
    }
}

/// Serves a client until one of the two has had enough.
pub(super) async fn serve(front: Rc<Front>, stream: TcpStream) {
    let Ok(address) = stream.peer_addr() else { return };
    let _ = stream.set_nodelay(true);
    let (mut reader, writer) = stream.into_split();
    let line = Rc::new(Line::new(writer));
    let Some(id) = front.connect(address, &line) else { return };
    std::future::poll_fn(|context| poll(&front, id, &line, &mut reader, context)).await;
    front.forget(id);
    line.hang_up();
    let drain = async {
        let mut unread = [0; 4096];
        while reader.read(&mut unread).await.is_ok_and(|read| read > 0) {}
    };
    let _ = tokio::time::timeout(FAREWELL_PATIENCE, drain).await;
    drop(reader);
    // Not before: who is let go and stays holds a file of this process.
    front.left(address);
}

fn poll(front: &Front, id: ConnectionId, line: &Line, reader: &mut OwnedReadHalf, context: &mut Context<'_>) -> Poll<()> {
    line.park(context.waker());
    let has_room = line.is_full.get() && line.poll_room(context).is_ready();
    if line.has_more.take() || has_room {
        front.resume(id);
    }
    for _ in 0..READS_PER_TURN {
        if line.is_over() {
            return Poll::Ready(());
        }
        // Whoever changes this says so: `may_listen`.
        line.is_deaf.set(!front.is_listening_to(id));
        if line.is_deaf.get() {
            return Poll::Pending;
        }
        let read = front.with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut *reader).poll_read(context, &mut buffer))?;
            let bytes = buffer.filled();
            front.receive(id, bytes);
            Poll::Ready(io::Result::Ok(bytes.len()))
        });
        match ready!(read) {
            // The client is gone, or as good as gone.
            Ok(0) | Err(_) => {
                front.lost(id);
                return Poll::Ready(());
            }
            Ok(_) => {}
        }
    }
    context.waker().wake_by_ref();
    Poll::Pending
}
