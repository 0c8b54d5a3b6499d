//! Committed entries meet the state machine.

use crate::{Codec, Decoded, Effect, Effects, Replica};
use alloc::format;
use alloc::vec::Vec;
use consensus::{Consensus, Entry, Input, Role, StateMachine};

/// After this many bytes of entries in one event the replica lets the driver look at its other work first.
const APPLY_BYTES_PER_EVENT: usize = 4 << 20;

impl<C: Consensus, M: StateMachine, K: Codec<Machine = M>> Replica<C, M, K> {
    pub(crate) fn on_apply(&mut self, entries: Vec<Entry>, effects: &mut Effects<C, M>) {
        let bytes = entries.iter().map(|entry| entry.data.len()).sum::<usize>();
        for entry in entries {
            if !self.apply(entry, effects) {
                return;
            }
        }
        self.applied_this_event += bytes;
        let position = self.machine.applied();
        if self.applied_this_event > APPLY_BYTES_PER_EVENT {
            self.owed = Some(position);
        } else {
            self.step(Input::Applied { position });
        }
        self.consider_snapshot(effects);
    }

    /// False if the entry cannot be understood, and the member has to stop: to skip it would make it differ from the others.
    fn apply(&mut self, entry: Entry, effects: &mut Effects<C, M>) -> bool {
        let before = self.machine.applied();
        let position = entry.position;
        assert!(position.index == before.index + 1 || position.epoch > before.epoch, "applied {position} after {before}");
        let Decoded { id, command } = match self.codec.decode(&entry) {
            Ok(decoded) => decoded,
            Err(why) => {
                self.stopped = true;
                effects.push(Effect::Stop(format!("the log's entry {position} cannot be applied: {why}")));
                return false;
            }
        };
        self.since_snapshot.add(&entry);
        match command {
            None => self.machine.skip(position),
            Some(command) => {
                let response = self.machine.apply(position, command);
                if let Some(id) = id {
                    self.respond(id, response, effects);
                }
            }
        }
        if position.epoch > before.epoch {
            self.refuse_before(position.epoch, effects);
        }
        if self.role == Role::Leader && !self.leading && position.epoch == self.epoch {
            self.leading = true;
            self.machine.lead(self.now);
        }
        true
    }
}
