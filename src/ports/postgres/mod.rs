//! Sources and targets: PostgreSQL over a session-mode connection.

mod error;
pub mod extras;
mod session;
mod tls;
mod url;

pub use error::from_postgres;
pub use session::{Identity, Purpose, Session};
pub use url::DatabaseUrl;
