//! Use cases.

pub mod backups;
pub mod check;
pub mod clock;
pub mod context;
pub mod create;
pub mod delete;
pub mod download;
pub mod init;
pub mod lease;
pub mod open_store;
pub mod places;
pub mod progress;
pub mod prune;
pub mod restore;
pub mod segments;
pub mod status;

pub use clock::Clock;
pub use context::Context;
