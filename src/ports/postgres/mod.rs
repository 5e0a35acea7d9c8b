//! Sources and targets: PostgreSQL over a session-mode connection.

mod error;
pub mod extras;
pub mod left_out;
pub mod overview;
mod pg_dump;
pub mod scope_value;
mod session;
pub mod source;
pub mod target;
mod tls;
pub mod unfinished;
mod url;

pub use error::{from_postgres, sqlstate};
pub use pg_dump::{DumpArgs, NoPgDump, PgDump, Section};
pub use session::{Identity, NO_ENCODING, Purpose, Session};
pub use url::DatabaseUrl;
