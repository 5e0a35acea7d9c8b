//! Restore into another database: round trips on data made to break them, refusals, and what a stop leaves behind.

mod catalog;
mod damage;
mod encodings;
mod hostile;
pub mod kills;
mod missed;
mod parts;
mod platform;
mod refusals;
mod round_trips;
mod silent;
pub mod support;
mod tenants;
