//! Restoring in place.

mod crash;
mod everything;
mod faults;
mod fixture;
mod modes;
mod owners;
mod refusals;
mod tenants;
