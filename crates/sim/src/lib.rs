//! The same replica and the same storage in a hostile world, from one seed
