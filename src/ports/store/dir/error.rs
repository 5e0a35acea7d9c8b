//! What a file system's error means for a store.

use crate::error::{Code, Error};
use std::io::{self, ErrorKind};

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
        _ => return Error::new(Code::StoreError, e.to_string()),
    };
    Error::new(code, e.to_string()).hint(hint)
}

pub fn join(e: tokio::task::JoinError) -> Error {
    Error::new(Code::Internal, "file work stopped").source(e)
}
