//! Golden scripts for any consensus protocol
