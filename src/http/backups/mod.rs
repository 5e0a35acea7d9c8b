//! `api/backups/…`

pub mod create;
pub mod details;
pub mod list;
pub mod restore;
pub mod status;
