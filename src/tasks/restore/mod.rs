//! Bringing a backup back: in place by stage and merge, or into another database.

pub mod config;
mod copy_in;
pub mod database;
pub mod in_place;
mod lock;
pub mod safety;

use crate::core::manifest::Manifest;
use crate::core::restore_plan::{Choice, Mode};
use crate::ports::postgres::DatabaseUrl;
use uuid::Uuid;

/// What to restore where.
#[derive(Debug, Clone)]
pub struct RestoreRequest {
    /// Given where somebody promised the operation beforehand; else a new id, or that of an interrupted restore.
    pub operation: Option<Uuid>,
    pub backup: Manifest,
    pub target: DatabaseUrl,
    /// The app's own database, where one is configured: a restore into another database never drops that.
    pub source: Option<DatabaseUrl>,
    pub mode: Mode,
    pub choice: Choice,
    /// Into another database: drop what is there first.
    pub force: bool,
    /// In place: leave out rows whose parents are gone, instead of refusing the restore.
    pub leave_out_orphans: bool,
    /// Connections that write at the same time.
    pub writers: usize,
    /// Bytes that the target's disk has to spare, where somebody knows; the server itself cannot tell.
    pub room: Option<u64>,
}
