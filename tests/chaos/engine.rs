//! A thread on which tasks run.

use std::thread::JoinHandle;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Ends with the value.
pub struct Engine {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    pub fn start(name: &str) -> Engine {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            let _ = runtime.block_on(stopped);
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run).expect("a thread");
        Engine { handle, stop: Some(stop), thread: Some(thread) }
    }

    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.stop.take());
        // Whoever panics shall not wait for the others.
        if !std::thread::panicking()
            && let Some(thread) = self.thread.take()
        {
            thread.join().expect("its tasks do not panic");
        }
    }
}
