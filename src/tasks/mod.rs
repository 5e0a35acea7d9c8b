//! Use cases.

pub mod context;
pub mod progress;
pub mod segments;

pub use context::Context;
