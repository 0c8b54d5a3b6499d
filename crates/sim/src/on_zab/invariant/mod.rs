//! What must always hold of Zab in particular.

mod epoch;
mod history;
mod speech;
