//! Taking a backup.

use crate::core::manifest::{BackupType, Codec, Selection, Trigger};
use crate::ports::postgres::DatabaseUrl;
use std::path::PathBuf;

/// What to back up.
#[derive(Debug, Clone)]
pub struct CreateRequest {
    /// Needed unless `kind` is `Config`.
    pub database: Option<DatabaseUrl>,
    pub kind: BackupType,
    pub trigger: Trigger,
    pub codec: Codec,
    /// Default: `backup_<UTC time>` as `backup_2025-12-22_14-30-00`.
    pub name: Option<String>,
    pub tenant: String,
    pub selection: Selection,
    /// Where `vercel.json` and `package.json` are.
    pub project: PathBuf,
    /// A pg_dump to use; else the newest usable one that is found.
    pub pg_dump: Option<PathBuf>,
    /// Connections that read rows at the same time.
    pub readers: usize,
}
