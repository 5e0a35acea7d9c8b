//! Integration tests: one binary, one module per part. `bin/test` gives them a running stack.

// Futures of whole use cases are deep.
#![recursion_limit = "256"]

mod backup;
mod cli;
mod fixtures;
mod house;
mod killed;
mod pg_dump;
mod pg_dump_bundle;
mod platform_rows;
mod restore_database;
mod restore_in_place;
mod round_trips;
mod store;
mod support;
mod tls;
