//! What is going to happen, in order of time.

use consensus::Instant;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A queue of occasions, ordered by time and, at the same time, by when they were put in. So the order of everything that happens
/// follows from the seed and from nothing else.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    /// (time, sequence, slot): small, so that the heap moves little.
    heap: BinaryHeap<Reverse<(u64, u64, u32)>>,
    slots: Vec<Option<T>>,
    free: Vec<u32>,
    sequence: u64,
}

impl<T> Agenda<T> {
    pub(crate) fn new() -> Agenda<T> {
        Agenda { heap: BinaryHeap::new(), slots: Vec::new(), free: Vec::new(), sequence: 0 }
    }

    /// Puts `occasion` in at `time`.
    pub(crate) fn put(&mut self, time: Instant, occasion: T) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(occasion);
                slot
            }
            None => {
                self.slots.push(Some(occasion));
                u32::try_from(self.slots.len() - 1).expect("fewer than four billion things are going to happen")
            }
        };
        self.heap.push(Reverse((time.as_nanos(), self.sequence, slot)));
        self.sequence += 1;
    }

    /// Takes out what comes next.
    pub(crate) fn take(&mut self) -> Option<(Instant, T)> {
        let Reverse((time, _, slot)) = self.heap.pop()?;
        self.free.push(slot);
        let occasion = self.slots[slot as usize].take().expect("each slot in the heap is full");
        Some((Instant::from_nanos(time), occasion))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_first_goes_first_and_ties_keep_their_order() {
        let mut agenda = Agenda::new();
        for (time, name) in [(5, "b"), (1, "a"), (5, "c"), (9, "d")] {
            agenda.put(Instant::from_nanos(time), name);
        }
        let order: Vec<&str> = std::iter::from_fn(|| agenda.take().map(|(_, name)| name)).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
    }
}
