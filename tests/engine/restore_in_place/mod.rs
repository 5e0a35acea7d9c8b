//! Restoring in place.

mod everything;
mod faults;
mod fixture;
mod modes;
mod owners;
mod refusals;
mod tenants;
