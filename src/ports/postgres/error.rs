//! What a database error means for us. Row data (DETAIL) and passwords never pass through here.

use crate::error::{Code, Error};
use std::error::Error as _;
use tokio_postgres::error::SqlState;

const LOST: &str = "The server or the network ended the connection. Run it again; if this repeats, look into the server's log.";

pub(super) const STANDBY: &str =
    "A standby (read replica) can only be read: use the address of the primary database.";

/// Translates a driver error; `doing` names the work for people.
pub fn from_postgres(doing: &str, error: tokio_postgres::Error) -> Error {
    let Some(db) = error.as_db_error() else {
        let cause = error.source().map(|s| format!("{s}")).unwrap_or_default();
        let code = if error.is_closed() || cause.contains("closed") || is_io(&error) {
            Code::ConnectionLost
        } else {
            Code::DatabaseError
        };
        let message = if cause.is_empty() {
            error.to_string()
        } else {
            format!("{error}: {cause}")
        };
        let told = Error::new(code, format!("{doing}: {message}")).source(error);
        return match code {
            Code::ConnectionLost => told.retry(true).hint(LOST),
            _ => told,
        };
    };
    let (code, hint) = classify(db.code(), db.message());
    let place = match (db.schema(), db.table(), db.constraint()) {
        (Some(s), Some(t), Some(c)) => format!(" ({s}.{t}, constraint {c})"),
        (Some(s), Some(t), None) => format!(" ({s}.{t})"),
        _ => String::new(),
    };
    let message = format!(
        "{doing}: {}{place} [SQLSTATE {}]",
        db.message(),
        db.code().code()
    );
    let mut told = Error::new(code, message).retry(matches!(
        code,
        Code::PoolExhausted | Code::LockTimeout | Code::ConnectionLost
    ));
    if let Some(hint) = hint {
        told = told.hint(hint);
    }
    told.source(error)
}

/// The server's code behind one of our errors.
pub fn sqlstate(error: &Error) -> Option<&SqlState> {
    error
        .source()?
        .downcast_ref::<tokio_postgres::Error>()?
        .code()
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    error.source().is_some_and(|s| s.is::<std::io::Error>())
}

fn classify(state: &SqlState, message: &str) -> (Code, Option<&'static str>) {
    if message.contains("MaxClientsInSessionMode")
        || message.contains("max clients reached")
        || *state == SqlState::TOO_MANY_CONNECTIONS
    {
        return (
            Code::PoolExhausted,
            Some(
                "Wait for other sessions to end, raise the pool size, or use the direct connection.",
            ),
        );
    }
    if message.contains("Tenant or user not found") {
        return (
            Code::DatabaseAuth,
            Some("The pooler does not know this project: its user is postgres.<project ref>."),
        );
    }
    match *state {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => (
            Code::DatabaseAuth,
            Some("Check the user and the password in the database URL."),
        ),
        SqlState::INVALID_CATALOG_NAME => (
            Code::DatabaseMissing,
            Some("Check the database name at the end of the URL."),
        ),
        SqlState::INSUFFICIENT_PRIVILEGE if message.contains("row-level security") => (
            Code::RowSecurity,
            Some("Connect as a role with BYPASSRLS (on Supabase: postgres)."),
        ),
        SqlState::INSUFFICIENT_PRIVILEGE => (
            Code::PermissionDenied,
            Some("Grant the right, or connect as the owner (on Supabase: postgres)."),
        ),
        SqlState::LOCK_NOT_AVAILABLE => (
            Code::LockTimeout,
            Some("A session holds a conflicting lock; try again when it is done."),
        ),
        SqlState::T_R_DEADLOCK_DETECTED => (
            Code::LockTimeout,
            Some("Another session waited for us while we waited for it; try again."),
        ),
        SqlState::DISK_FULL => (
            Code::NoSpace,
            Some("Free or add disk space on the database server."),
        ),
        SqlState::OUT_OF_MEMORY if message.contains("shared memory") => (
            Code::LockTableFull,
            Some("Raise max_locks_per_transaction, or choose fewer tables."),
        ),
        SqlState::CHARACTER_NOT_IN_REPERTOIRE | SqlState::UNTRANSLATABLE_CHARACTER => (
            Code::InvalidEncoding,
            Some(
                "The text is no UTF-8, or the database cannot hold it. Rows of a database whose encoding is SQL_ASCII are \
                 kept as bytes and go into another one of that encoding (CREATE DATABASE … ENCODING 'SQL_ASCII' TEMPLATE \
                 template0); its names and definitions must be UTF-8: correct what holds the bytes of the message.",
            ),
        ),
        SqlState::READ_ONLY_SQL_TRANSACTION => (Code::DatabaseReadOnly, Some(STANDBY)),
        SqlState::QUERY_CANCELED => (Code::Cancelled, None),
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW => {
            (Code::ConnectionLost, Some(LOST))
        }
        _ if state.code().starts_with("23") => (Code::ConstraintViolated, None),
        _ if state.code().starts_with("08") => (Code::ConnectionLost, Some(LOST)),
        _ => (Code::DatabaseError, None),
    }
}
