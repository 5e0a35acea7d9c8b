//! Stores, and the use cases that need a store alone.

mod answers;
mod checking;
mod conformance;
mod deleting;
mod downloads;
mod faults;
mod finding;
mod leases;
mod many;
mod opening;
pub mod places;
pub mod psql;
pub mod sample;
mod targets;
