//! Use cases.

pub mod backups;
pub mod context;
pub mod create;
pub mod init;
pub mod places;
pub mod open_store;
pub mod progress;
pub mod restore;
pub mod segments;
pub mod status;

pub use context::Context;
