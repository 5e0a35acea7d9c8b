//! Stores, and the use cases that need a store alone.

mod checking;
mod conformance;
mod deleting;
mod faults;
mod leases;
mod opening;
pub mod places;
pub mod sample;
