//! The outside world.

pub mod postgres;
pub mod store;
