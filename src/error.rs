//! What went wrong: a stable code, a message for people, what to do, and the cause.

use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::error::Error as StdError;
use std::fmt;
use std::io::{self, ErrorKind};

pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($variant:ident $text:literal $class:ident $doc:literal;)*) => {
        /// Stable names of everything that can go wrong. `docs/CLI.md` lists them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $doc] $variant,)* }

        impl Code {
            /// The code of this name.
            pub fn named(text: &str) -> Option<Code> {
                Code::ALL.iter().copied().find(|code| code.as_str() == text)
            }
            /// Every code, in the order of the documentation.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];
            /// The name used in JSON, logs and documents.
            pub fn as_str(self) -> &'static str { match self { $(Code::$variant => $text,)* } }
            /// What kind of failure it is; decides the exit code and the HTTP status.
            pub fn class(self) -> Class { match self { $(Code::$variant => Class::$class,)* } }
            /// One line for the documentation.
            pub fn meaning(self) -> &'static str { match self { $(Code::$variant => $doc,)* } }
        }
    };
}

codes! {
    Usage "usage" Usage "The request makes no sense as it stands.";
    BadSchedule "bad_schedule" Usage "A schedule's expression, time zone or retention policy cannot be.";
    BadTarget "bad_target" Usage "What a channel leads to cannot be reached, or must not be.";
    Config "config" Usage "A setting is missing or cannot be read.";
    DatabaseUnreachable "database_unreachable" Connect "No server answers at the database URL.";
    DatabaseAuth "database_auth" Connect "The server refused the role or the password.";
    DatabaseMissing "database_missing" Connect "The server has no database of that name.";
    DatabaseMismatch "database_mismatch" Connect "The connection reached another database or server than asked.";
    PoolerTransactionMode "pooler_transaction_mode" Connect "The URL is a transaction-mode pooler, which keeps no session.";
    PoolExhausted "pool_exhausted" Connect "The pooler or the server has no connection left.";
    ConnectionLost "connection_lost" Failed "The database connection broke while it was in use.";
    DatabaseError "database_error" Failed "The database answered with an error.";
    DatabaseReadOnly "database_read_only" Refused "The database takes no writes: it is a standby.";
    RowSecurity "row_security" Refused "The role is subject to row level security, so rows could be missing.";
    PermissionDenied "permission_denied" Refused "The role may not do something that is needed.";
    LockTableFull "lock_table_full" Refused "More tables than the server's lock table holds.";
    LockTimeout "lock_timeout" Failed "A lock was not granted in time.";
    TablesChanged "tables_changed" Failed "Tables kept changing while the backup started.";
    Yielded "yielded" Failed "The backup gave way to a session that waited for it.";
    RowTooLarge "row_too_large" Refused "A row's text is larger than one gigabyte.";
    InvalidEncoding "invalid_encoding" Failed "Text is not valid in the encoding that is needed.";
    LargeObjects "large_objects" Refused "The database holds large objects, which are not supported.";
    PgDumpFailed "pg_dump_failed" Failed "pg_dump ran and failed.";
    NothingSelected "nothing_selected" Usage "The chosen schemas, tables or scope match nothing.";
    StoreUnreachable "store_unreachable" Connect "The store does not answer.";
    StoreAuth "store_auth" Connect "The store refused the credentials.";
    StoreMissing "store_missing" Connect "The bucket or directory does not exist.";
    StoreReadOnly "store_read_only" Refused "The store does not let us write.";
    StoreFull "store_full" Failed "The store has no room left.";
    StoreError "store_error" Failed "The store answered with an error.";
    StoreKeyMismatch "store_key_mismatch" Refused "STORE_KEY is not the key that this store was made with.";
    StoreBusy "store_busy" Refused "Another operation holds the store.";
    LeaseExpired "lease_expired" Failed "The operation outlived its claim on the store and stopped.";
    ObjectMissing "object_missing" Failed "A stored object is gone.";
    ObjectDamaged "object_damaged" Failed "A stored object is not what was written.";
    FormatTooNew "format_too_new" Refused "The backup was written by a newer version.";
    ManifestDamaged "manifest_damaged" Failed "The manifest cannot be read or was altered.";
    BackupNotFound "backup_not_found" NotFound "No such backup.";
    ScheduleNotFound "schedule_not_found" NotFound "No such schedule.";
    OperationNotFound "operation_not_found" NotFound "No such restore operation.";
    NotEmpty "not_empty" Refused "The target holds data.";
    SchemaMissing "schema_missing" Refused "The backup holds no table definitions.";
    SchemaDrift "schema_drift" Refused "The target's tables no longer fit the backup.";
    TooManyColumns "too_many_columns" Refused "A table has too many columns for a restore in place.";
    RestoreRunning "restore_running" Refused "Another restore of this database is running.";
    RestoreUnfinished "restore_unfinished" Refused "A restore into the database has not ended, so it is incomplete.";
    StagingChanged "staging_changed" Failed "Staged rows are not what was planned.";
    TriggersFire "triggers_fire" Refused "Triggers would change restored rows and cannot be switched off.";
    MissingParent "missing_parent" Refused "Rows would be left without the rows to which they refer.";
    SharedRows "shared_rows" Refused "The restore would change rows that other tenants share.";
    PublishedWithoutIdentity "published_without_identity" Refused "A published table has no replica identity.";
    ConstraintViolated "constraint_violated" Failed "Restored rows break a constraint of the target.";
    NoSpace "no_space" Refused "The target's disk has too little room.";
    UndoConflict "undo_conflict" Refused "Rows changed since the restore.";
    UndoExpired "undo_expired" Refused "What the restore changed was kept for its undo until a date that has passed.";
    OutcomeUnknown "outcome_unknown" Failed "The connection broke at the commit and the outcome could not be read.";
    ConfirmationNeeded "confirmation_needed" Refused "Something would be overwritten and nobody confirmed it.";
    Cancelled "cancelled" Cancelled "The operation was cancelled.";
    CatalogUnreachable "catalog_unreachable" Connect "The catalog does not answer.";
    CatalogRefused "catalog_refused" Connect "The catalog refused the key or the token.";
    CatalogTaken "catalog_taken" Refused "The app has tables of the catalog's names.";
    CatalogError "catalog_error" Failed "The catalog answered with an error.";
    TenantNotFound "tenant_not_found" Usage "No such tenant, or none of yours.";
    UserNotFound "user_not_found" NotFound "Supabase Auth has no such user.";
    NotPossible "not_possible" Refused "The state of the backup or the restore does not allow it.";
    ServiceUnreachable "service_unreachable" Connect "The deployment does not answer.";
    ServiceError "service_error" Failed "The deployment answered with an error.";
    Unauthorized "unauthorized" Connect "The deployment did not accept the token.";
    Forbidden "forbidden" Refused "Your role does not allow it.";
    RateLimited "rate_limited" Failed "Too many calls in a minute.";
    VercelUnreachable "vercel_unreachable" Connect "Vercel's API does not answer.";
    VercelRefused "vercel_refused" Failed "Vercel's API refused the token or the request.";
    DeploymentNotFound "deployment_not_found" NotFound "Vercel has no such deployment.";
    Io "io" Failed "A local file could not be read or written.";
    Internal "internal" Failed "A defect in Rovodev.";
}

/// Broad kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    Failed,
    Usage,
    NotFound,
    Refused,
    Connect,
    Cancelled,
}

/// An error that a person can act on.
#[derive(Debug)]
pub struct Error {
    pub code: Code,
    /// What is wrong, and where. Holds no secret.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the same call may succeed when repeated.
    pub retry: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            retry: false,
            source: None,
        }
    }

    /// A local file or pipe, with what can be done about it. `what` says which, as `.env cannot be read`.
    pub fn io(what: impl fmt::Display, error: io::Error) -> Self {
        let hint = match error.kind() {
            ErrorKind::NotFound => "Check the path, and make the directory first.",
            ErrorKind::PermissionDenied => "Give this user the right to, or choose another place.",
            ErrorKind::ReadOnlyFilesystem => {
                "The file system is mounted read-only; choose another place."
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                "Free some space, or choose another place."
            }
            ErrorKind::NotADirectory => "A part of the path is a file; choose another place.",
            ErrorKind::IsADirectory => "It is a directory; name a file.",
            ErrorKind::InvalidData => "It is no text in UTF-8; save it as that.",
            ErrorKind::BrokenPipe => "Whatever was to read it ended; see what it said.",
            _ => "Check the path and the file system.",
        };
        Self::new(Code::Io, format!("{what}: {error}"))
            .hint(hint)
            .source(error)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn retry(mut self, retry: bool) -> Self {
        self.retry = retry;
        self
    }

    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Puts what was being done before the message.
    #[must_use]
    pub fn during(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    pub fn cancelled() -> Self {
        Self::new(Code::Cancelled, "cancelled")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// As doors show it: `{"code", "message", "hint"}`.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut shown = serializer.serialize_struct("Error", 3)?;
        shown.serialize_field("code", self.code.as_str())?;
        shown.serialize_field("message", &self.message)?;
        shown.serialize_field("hint", &self.hint)?;
        shown.end()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|s| s as &(dyn StdError + 'static))
    }
}

/// Names what was being done when a call failed.
pub trait During<T> {
    fn during(self, doing: impl fmt::Display) -> Result<T>;
}

impl<T> During<T> for Result<T> {
    fn during(self, doing: impl fmt::Display) -> Result<T> {
        self.map_err(|e| e.during(doing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are Linux's own: EPERM to ENOSPC as a disk, a mount or a path gives them.
    #[cfg(target_os = "linux")]
    #[test]
    fn every_failure_of_a_file_says_what_to_do() {
        for (number, part) in [
            (2, "make the directory"),
            (13, "the right"),
            (20, "a file; choose"),
            (21, "name a file"),
            (27, "Free some space"),
            (28, "Free some space"),
            (30, "read-only"),
            (32, "ended"),
            (122, "Free some space"),
            (5, "file system"),
        ] {
            let error = Error::io("x cannot be written", io::Error::from_raw_os_error(number));
            let hint = error.hint.unwrap();
            assert!(hint.contains(part), "{number}: {hint}");
            assert!(
                error.message.contains("x cannot be written: "),
                "{}",
                error.message
            );
        }
    }
}
