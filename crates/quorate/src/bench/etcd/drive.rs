//! Many clients, each with one request under way.

use crate::bench::measured::Counts;
use indicatif::ProgressBar;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;
use tonic::Status;

/// How often the progress bar is told.
const TOLD_EVERY: u64 = 500;

/// One client, as far as the load is concerned.
pub(super) trait Asker: 'static {
    /// Makes the load's request number `number`, and waits for its answer.
    async fn ask(&mut self, number: u64) -> Result<(), Status>;
}

/// Makes `total` requests, each by whichever client is free.
pub(super) async fn drive<A: Asker>(clients: Vec<A>, total: u64, bar: &ProgressBar) -> Result<Counts, String> {
    let next = Rc::new(Cell::new(0));
    let counts = Rc::new(RefCell::new(Counts::new()));
    let mut running = Vec::new();
    for client in clients {
        running.push(tokio::task::spawn_local(go_on(client, Rc::clone(&next), total, Rc::clone(&counts), bar.clone())));
    }
    for task in running {
        task.await.expect("a client does not panic");
    }
    let counts = Rc::into_inner(counts).expect("all clients have ended").into_inner();
    match &counts.failure {
        Some(why) if counts.latency.is_empty() => Err(format!("not one request succeeded; the first was told: {why}")),
        _ => Ok(counts),
    }
}

async fn go_on<A: Asker>(mut client: A, next: Rc<Cell<u64>>, total: u64, counts: Rc<RefCell<Counts>>, bar: ProgressBar) {
    loop {
        let number = next.get();
        if number >= total {
            return;
        }
        next.set(number + 1);
        let asked = Instant::now();
        let answer = client.ask(number).await;
        let took = asked.elapsed();
        match answer {
            Ok(()) => counts.borrow_mut().took(took),
            Err(status) => counts.borrow_mut().failed(status.message()),
        }
        if number.is_multiple_of(TOLD_EVERY) {
            bar.set_position(number);
        }
    }
}
