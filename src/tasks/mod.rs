//! Use cases.

pub mod backups;
pub mod cataloged;
pub mod check;
pub mod clock;
pub mod context;
pub mod create;
pub mod delete;
pub mod deployments;
pub mod download;
pub mod exports;
pub mod init;
pub mod jobs;
pub mod lease;
pub mod migrate;
pub mod open_store;
pub mod operators;
pub mod places;
pub mod progress;
pub mod prune;
pub mod restore;
pub mod schedules;
pub mod segments;
pub mod status;

pub use clock::Clock;
pub use context::Context;
