//! How a server is asked to end: by SIGTERM or SIGINT.
//!
//! They are listened for before a server starts, which may take minutes. The first process of a container is not ended by a signal that it
//! does not listen for, and others would end without a word.

use std::future::{Future, pending};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing::{info, warn};

/// SIGTERM and SIGINT. What comes before anybody waits for it is not lost. `None`: they cannot be caught.
pub(crate) struct Signals(Option<[Signal; 2]>);

impl Signals {
    /// Begins to listen. To be called within a runtime.
    pub(crate) fn listen() -> Signals {
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(terminate), Ok(interrupt)) => Signals(Some([terminate, interrupt])),
            (Err(error), _) | (_, Err(error)) => {
                warn!(%error, "signals cannot be caught: they end this process at once");
                Signals(None)
            }
        }
    }

    /// Ends with SIGTERM or SIGINT.
    pub(crate) async fn asked_to_end(&mut self) {
        let Some([terminate, interrupt]) = &mut self.0 else { return pending().await };
        tokio::select! {
            _ = terminate.recv() => info!("asked to end by SIGTERM"),
            _ = interrupt.recv() => info!("asked to end by SIGINT"),
        }
    }
}

/// A server that has not started yet has nothing to hand over, and whatever it was doing to its folder may end anywhere: a power failure
/// would end it there, too.
pub(crate) fn give_up_starting() {
    info!("it has not started yet: the start is given up");
}

/// Ends with SIGTERM or SIGINT, for a server that starts on the thread that waits for this: it cannot look at its signals before it has
/// started, which it says by waiting for the first time. If one comes sooner, the process ends.
pub(crate) fn asked_to_end_once_started() -> impl Future<Output = ()> {
    let (tell, told) = oneshot::channel();
    let is_starting = Arc::new(AtomicBool::new(true));
    if let Err(error) = watch(is_starting.clone(), tell) {
        warn!(%error, "signals cannot be caught: they end this process at once");
    }
    async move {
        is_starting.store(false, Ordering::SeqCst);
        if told.await.is_err() {
            pending().await
        }
    }
}

fn watch(is_starting: Arc<AtomicBool>, tell: oneshot::Sender<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut signals = {
        let _within = runtime.enter();
        Signals::listen()
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(signals.asked_to_end());
        if is_starting.load(Ordering::SeqCst) {
            give_up_starting();
            std::process::exit(0);
        }
        let _ = tell.send(());
    })?;
    Ok(())
}
