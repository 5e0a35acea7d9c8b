//! What can go wrong while the stack comes up.

use std::path::Path;

pub type Result<T> = std::result::Result<T, Error>;

/// An error of the local stack; its text says what failed and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Message(String),
    #[error("{context}: {source}")]
    Io {
        context: String,
        source: std::io::Error,
    },
    #[error("{context}: {}", postgres_text(.source))]
    Postgres {
        context: String,
        source: tokio_postgres::Error,
    },
}

/// `tokio_postgres::Error` alone prints "db error"; the server's own words are in its source.
fn postgres_text(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => db.to_string(),
        None => error.to_string(),
    }
}

/// Says what was being done when an error came up.
pub trait Context<T> {
    fn context(self, doing: impl Into<String>) -> Result<T>;
}

impl<T> Context<T> for std::io::Result<T> {
    fn context(self, doing: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::Io {
            context: doing.into(),
            source,
        })
    }
}

impl<T> Context<T> for std::result::Result<T, tokio_postgres::Error> {
    fn context(self, doing: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::Postgres {
            context: doing.into(),
            source,
        })
    }
}

/// An error with nothing but a text.
pub fn message(text: impl Into<String>) -> Error {
    Error::Message(text.into())
}

/// "cannot read /path": the usual context of a file operation.
pub fn at(verb: &str, path: &Path) -> String {
    format!("cannot {verb} {}", path.display())
}
