//! Watches: who wants to hear of which changes, and what each has been told.

mod page;

pub use page::{Page, ReadPages, Want};
