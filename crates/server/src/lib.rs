//! Sockets, threads and clocks around a replica
