//! The local stack: a real Postgres that is set up like a Supabase project, an S3 in process, and the
//! demo app. Used by `bin/dev`, by `bin/test`, and by tests in process.
//!
//! - [`home`]: folders under `.rovodev/` in the checkout
//! - [`binaries`]: PostgreSQL's programs: found, else installed
//! - [`postgres`]: one server (its folder: `cluster`); [`supabase`]: its roles and schemas
//! - [`template`]: throw-away servers, made once and copied
//! - [`s3`]: S3 with atomic conditional writes; [`localstack`]: a second implementation
//! - [`lite`]: a second PostgREST
//! - [`project`]: what Supabase and Vercel put before it: PostgREST, sign-in, the functions
//! - [`contract`]: holds every answer of the functions against `docs/openapi.json`; [`schemathesis`]: looks for others
//! - [`demo_project`]: a throw-away project with the demo app in it
//! - [`demo`]: the AI call centre; [`dev`]: `local dev`, and [`once`]: its `--once`; [`run`]: `local run`
//! - `settings`: what the functions and the command line are told; `visitor`: a person at the functions' door
//!
//! A part that joins later (mail, other services) is a module with a struct that starts on
//! creation and stops when dropped, and a field of [`stack::Stack`].

pub mod binaries;
mod cluster;
pub mod contract;
pub mod demo;
pub mod demo_project;
mod demo_report;
pub mod dev;
pub mod dev_state;
pub mod error;
pub mod home;
mod install;
pub mod lite;
pub mod localstack;
mod once;
pub mod port;
pub mod postgres;
mod process;
pub mod project;
pub mod run;
pub mod s3;
pub mod schemathesis;
pub mod settings;
pub mod stack;
pub mod supabase;
mod system_user;
pub mod template;
pub mod visitor;

pub use error::{Error, Result};
