//! Restoring in place.

mod beside;
mod columns;
mod commit;
mod commit_proxy;
mod crash;
mod disk;
pub mod everything;
mod expiry;
pub mod faults;
pub mod fixture;
mod kept;
mod kill_points;
pub mod kill_proxy;
pub mod killed;
mod large_changes;
mod lock_table;
mod many_tables;
mod modes;
mod owners;
mod read_only;
mod references;
mod refusals;
mod server_crash;
mod statistics;
mod stores;
mod tenants;
mod views;
