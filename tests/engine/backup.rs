//! Taking a backup: what it holds, what it refuses, and what is left when it breaks.

mod configuration;
mod connections;
mod definitions;
mod exact;
mod fingerprints;
mod objects;
mod proxy;
mod refusals;
mod scopes;
