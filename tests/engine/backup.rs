//! Taking a backup: what it holds, what it refuses, and what is left when it breaks.

mod cancelling;
mod configuration;
mod connections;
mod definitions;
pub mod exact;
mod faults;
mod fingerprints;
mod killed;
mod moving;
mod objects;
mod own_server;
pub mod proxy;
mod refusals;
mod scopes;
mod size;
