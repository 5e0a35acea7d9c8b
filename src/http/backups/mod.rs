//! `api/backups/…`

pub mod create;
pub mod details;
pub mod download;
pub mod list;
mod list_export;
pub mod restore;
pub mod status;
