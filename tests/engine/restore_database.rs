//! Restore into another database: round trips on data made to break them, refusals, and what a stop leaves behind.

mod damage;
mod kills;
mod parts;
mod refusals;
mod round_trips;
mod support;
