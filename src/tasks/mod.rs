//! Use cases.

pub mod context;
pub mod create;
pub mod progress;
pub mod restore;
pub mod segments;

pub use context::Context;
