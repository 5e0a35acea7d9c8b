//! Use cases.

pub mod backups;
pub mod clock;
pub mod context;
pub mod create;
pub mod lease;
pub mod open_store;
pub mod progress;
pub mod restore;
pub mod segments;

pub use clock::Clock;
pub use context::Context;
