//! Integration tests: one binary, one module per part. `bin/test` gives them a running stack.

#![recursion_limit = "256"]

mod pg_dump;
mod pg_dump_bundle;
mod restore_database;
mod store;
