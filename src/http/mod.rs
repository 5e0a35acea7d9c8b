//! The HTTP interface: request → task → response. Handlers are plain functions over [`Request`] and [`Answer`], so that
//! a Vercel function and the local server run the very same code.

pub mod answer;
pub mod entrance;
pub mod guard;
pub mod jwks;
pub mod origin;
pub mod problem;
pub mod query;
pub mod routes;
pub mod service;
pub mod token;
pub mod vercel;

mod backups;
mod caller;
mod health;
mod hooks;
mod range;
mod refusals;
mod schedules;
mod secret;
mod sent;
mod stream;
mod table_file;
mod tick;
mod workspace;

pub use answer::{Answer, Body};
pub use problem::Problem;
pub use service::{MAX_DURATION, Service};

/// A whole request: bodies are small, and read before a handler sees them.
pub type Request = http::Request<bytes::Bytes>;
