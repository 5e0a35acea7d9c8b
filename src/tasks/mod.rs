//! Use cases.

pub mod backups;
pub mod context;
pub mod create;
pub mod open_store;
pub mod progress;
pub mod restore;
pub mod segments;

pub use context::Context;
