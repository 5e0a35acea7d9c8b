//! Integration tests: one binary, one module per part. `bin/test` gives them a running stack.

mod store;
mod pg_dump;
