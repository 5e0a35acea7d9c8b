//! What a source holds: tables with their columns, sequences, views and what we do not support.
//! A fixed number of queries, however many tables there are.

mod keys;
mod listing;
mod server;

pub use keys::{ForeignKey, foreign_keys};
pub use listing::{Listed, Listing, list};
pub use server::{LockRoom, Server, lock_room, server};

pub use crate::core::managed::CATALOG_MARKER;
