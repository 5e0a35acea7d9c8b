//! Stores, and the use cases that need a store alone.

mod conformance;
mod faults;
pub mod places;
