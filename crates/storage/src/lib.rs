//! The log and the snapshots of a member, over one seam to the disk
