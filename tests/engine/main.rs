//! Integration tests: one binary, one module per part. `bin/test` gives them a running stack.

mod backup;
mod pg_dump;
mod pg_dump_bundle;
mod store;
mod support;
