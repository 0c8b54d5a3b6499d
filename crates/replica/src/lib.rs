//! One member: events in, effects out
