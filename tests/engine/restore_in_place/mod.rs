//! Restoring in place.

mod everything;
mod faults;
mod fixture;
mod modes;
mod refusals;
mod tenants;
