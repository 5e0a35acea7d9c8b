//! Restoring in place.

mod beside;
mod commit;
mod commit_proxy;
mod crash;
mod everything;
mod expiry;
mod faults;
mod fixture;
mod kept;
mod killed;
mod modes;
mod owners;
mod references;
mod refusals;
mod server_crash;
mod statistics;
mod stores;
mod tenants;
