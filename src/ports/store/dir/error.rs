//! What a file system's error means for a store.

use crate::error::{Code, Error};
use std::io::{self, ErrorKind};
use std::path::Path;

pub fn failed(e: &io::Error, writing: bool) -> Error {
    let (code, hint) = match e.kind() {
        ErrorKind::ReadOnlyFilesystem => {
            (Code::StoreReadOnly, "The file system is mounted read-only.")
        }
        ErrorKind::PermissionDenied if writing => (
            Code::StoreReadOnly,
            "Give this user the right to write there, or choose another store.",
        ),
        ErrorKind::PermissionDenied => (Code::StoreAuth, "Give this user the right to read there."),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => (
            Code::StoreFull,
            "Free some space, or choose another store. Nothing half written is left under a key.",
        ),
        ErrorKind::Interrupted | ErrorKind::StaleNetworkFileHandle | ErrorKind::TimedOut => {
            return Error::new(Code::StoreError, e.to_string()).retry(true);
        }
        _ => (
            Code::StoreError,
            "Check the path and the file system, or choose another store.",
        ),
    };
    Error::new(code, e.to_string()).hint(hint)
}

/// What it means that the store's own folder could not be made.
pub fn not_made(root: &Path, e: &io::Error) -> Error {
    let why = match e.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => "a file is in the way",
        ErrorKind::NotFound => "no directory can be made there",
        _ => return failed(e, true).during(format!("making {}", root.display())),
    };
    Error::new(
        Code::StoreMissing,
        format!("{} cannot be made: {why}", root.display()),
    )
    .hint("Choose another directory by --store or BACKUP_STORE.")
}

pub fn join(e: tokio::task::JoinError) -> Error {
    Error::new(Code::Internal, "file work stopped").source(e)
}
