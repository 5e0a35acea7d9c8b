//! A backup and a restore, from a row of the catalog (`snake_case`) or from the HTTP interface (`camelCase`).

use crate::core::manifest::{BackupType, Codec, SchemaStatus, Selection, Trigger, Warning};
use crate::error::{Code, Error};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

#[derive(Debug, Clone, Deserialize)]
pub struct BackupRow {
    pub id: Uuid,
    pub name: String,
    /// Folder in the store.
    #[serde(alias = "path")]
    pub backup_path: String,
    #[serde(alias = "type")]
    pub backup_type: BackupType,
    pub trigger: Trigger,
    /// `pending`, `in_progress`, `completed`, `failed`, `cancelled`.
    pub status: String,
    pub codec: Codec,
    #[serde(default)]
    pub selection: Selection,
    #[serde(default)]
    pub components: Vec<String>,
    /// Bytes in the store.
    #[serde(alias = "size")]
    pub size_bytes: Option<u64>,
    #[serde(alias = "rawSize")]
    pub raw_bytes: Option<u64>,
    #[serde(alias = "newSize")]
    pub new_bytes: Option<u64>,
    tables: Option<u64>,
    records: Option<u64>,
    files: Option<u64>,
    #[serde(default)]
    metadata: Counts,
    #[serde(default)]
    pub contents: Contents,
    /// A list, or how many there are.
    #[serde(default)]
    warnings: Value,
    #[serde(alias = "createdAt")]
    pub created_at: DateTime<Utc>,
    #[serde(alias = "createdBy")]
    pub created_by: Option<String>,
    #[serde(alias = "startedAt")]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(alias = "finishedAt")]
    pub finished_at: Option<DateTime<Utc>>,
    pub progress: Option<Value>,
    #[serde(alias = "errorCode")]
    error_code: Option<String>,
    #[serde(alias = "error")]
    error_message: Option<String>,
    #[serde(alias = "cancelledBy")]
    cancelled_by: Option<String>,
    /// What was not as written when it was last read back; over HTTP, whether there is such.
    #[serde(default)]
    damage: Option<Value>,
    #[serde(default)]
    damaged: bool,
    #[serde(default)]
    pub pinned: bool,
    pub note: Option<String>,
    #[serde(default)]
    pub restores: Restores,
}

/// Where the HTTP interface has what columns hold elsewhere.
#[derive(Debug, Clone, Default, Deserialize)]
struct Counts {
    tables: Option<u64>,
    records: Option<u64>,
    files: Option<u64>,
}

/// What the manifest says of the backup's inside, as far as its tenant may know it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Contents {
    pub tables: Vec<TableRow>,
    pub files: Vec<FileRow>,
    pub definitions: Option<Definitions>,
    pub source: Option<Origin>,
    pub left_out: Vec<Warning>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableRow {
    pub schema: String,
    pub name: String,
    pub records: u64,
    pub raw_size: u64,
    pub size: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct FileRow {
    pub name: String,
    pub size: u64,
}

/// Whether the backup holds definitions, and why not.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definitions {
    pub status: SchemaStatus,
    pub reason: Option<String>,
    pub pg_dump_version: Option<String>,
}

/// The database that was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    pub database: String,
    pub server_version: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Restores {
    #[serde(default)]
    pub operations: Vec<RestoreRow>,
}

impl BackupRow {
    /// The tenant's slug, which is in the path.
    pub fn tenant(&self) -> &str {
        self.backup_path.split('/').nth(1).unwrap_or_default()
    }

    pub fn tables(&self) -> u64 {
        self.tables.or(self.metadata.tables).unwrap_or(0)
    }
    pub fn records(&self) -> u64 {
        self.records.or(self.metadata.records).unwrap_or(0)
    }
    pub fn files(&self) -> u64 {
        self.files.or(self.metadata.files).unwrap_or(0)
    }

    /// Empty in a list that has only their number.
    pub fn warnings(&self) -> Vec<Warning> {
        serde_json::from_value(self.warnings.clone()).unwrap_or_default()
    }

    pub fn warning_count(&self) -> u64 {
        let listed = self.warnings.as_array().map(|all| all.len() as u64);
        listed.or(self.warnings.as_u64()).unwrap_or(0)
    }

    pub fn is_completed(&self) -> bool {
        self.status == "completed"
    }

    /// Whether it was not what was written when it was last read back.
    pub fn is_damaged(&self) -> bool {
        self.damaged || self.damage.is_some()
    }

    /// Why it did not complete, where it is over.
    pub fn failure(&self) -> Option<Error> {
        failure(
            &self.status,
            self.error_code.as_deref(),
            self.error_message.as_deref(),
            self.cancelled_by.as_deref(),
        )
    }

    /// What it holds of the database and of the project's files; a backup that is not over is taken for its type.
    pub fn holds(&self, component: &str) -> bool {
        match self.components.is_empty() {
            false => self.components.iter().any(|c| c == component),
            true => match self.backup_type {
                BackupType::Full => true,
                BackupType::Database => component == "database",
                BackupType::Config => component == "config",
            },
        }
    }
}

/// A restore, a preview, or the undo of a restore.
#[derive(Debug, Clone, Deserialize)]
pub struct RestoreRow {
    #[serde(alias = "operationId")]
    pub id: Uuid,
    #[serde(alias = "backupId")]
    pub backup_id: Option<Uuid>,
    pub backup_name: Option<String>,
    pub status: String,
    pub preview: bool,
    pub target: String,
    #[serde(alias = "undoOf")]
    pub undo_of: Option<Uuid>,
    #[serde(alias = "undoneAt")]
    pub undone_at: Option<DateTime<Utc>>,
    #[serde(default, alias = "undoUntil")]
    pub undo_until: Option<DateTime<Utc>>,
    #[serde(alias = "completedAt")]
    pub completed_at: Option<DateTime<Utc>>,
    pub progress: Option<Value>,
    pub plan: Option<Value>,
    #[serde(default)]
    pub result: Value,
    #[serde(default)]
    pub warnings: Vec<Warning>,
    #[serde(alias = "safetyBackupId")]
    pub safety_backup_id: Option<Uuid>,
    #[serde(alias = "errorCode")]
    error_code: Option<String>,
    #[serde(alias = "error")]
    error_message: Option<String>,
    #[serde(alias = "cancelledBy")]
    cancelled_by: Option<String>,
}

impl RestoreRow {
    pub fn failure(&self) -> Option<Error> {
        failure(
            &self.status,
            self.error_code.as_deref(),
            self.error_message.as_deref(),
            self.cancelled_by.as_deref(),
        )
    }

    /// Whether live rows were changed in place, nobody changed them back, and what they were is still kept.
    pub fn can_be_undone(&self) -> bool {
        self.status == "completed"
            && !self.preview
            && self.target == "inPlace"
            && self.undone_at.is_none()
            && self.result["undoable"] != false
    }

    /// A number of the result, such as `rowsAdded`.
    pub fn count(&self, what: &str) -> u64 {
        self.result[what].as_u64().unwrap_or(0)
    }
}

pub(super) fn is_over(status: &str) -> bool {
    matches!(status, "completed" | "failed" | "cancelled")
}

fn failure(
    status: &str,
    code: Option<&str>,
    message: Option<&str>,
    cancelled_by: Option<&str>,
) -> Option<Error> {
    match status {
        "cancelled" => Some(match cancelled_by {
            Some(who) => Error::new(Code::Cancelled, format!("cancelled by {who}")),
            None => Error::cancelled(),
        }),
        "failed" => {
            // A newer deployment may know codes that we do not.
            let code = code.and_then(Code::named).unwrap_or(Code::ServiceError);
            Some(Error::new(code, message.unwrap_or("it failed")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_of_the_catalog_and_an_answer_over_http_are_read_alike() {
        let id = Uuid::nil();
        let row = json!({
            "id": id, "name": "n", "backup_path": "backups/t/i", "backup_type": "full", "trigger": "manual", "status": "failed", "codec": "zstd",
            "selection": {}, "components": [], "size_bytes": 7, "tables": 2, "records": 3, "warnings": [],
            "created_at": "2026-01-01T00:00:00Z", "error_code": "no_space", "error_message": "full", "metadata": {},
        });
        let answer = json!({
            "id": id, "name": "n", "path": "backups/t/i", "type": "full", "trigger": "manual", "status": "failed", "codec": "zstd",
            "size": 7, "metadata": { "tables": 2, "records": 3 }, "warnings": 4,
            "createdAt": "2026-01-01T00:00:00Z", "errorCode": "no_space", "error": "full",
        });
        for (told, warnings) in [(row, 0), (answer, 4)] {
            let backup: BackupRow = serde_json::from_value(told).unwrap();
            assert_eq!(
                (backup.tables(), backup.records(), backup.size_bytes),
                (2, 3, Some(7))
            );
            assert_eq!((backup.warning_count(), backup.tenant()), (warnings, "t"));
            assert_eq!(backup.failure().unwrap().code, Code::NoSpace);
            assert!(backup.holds("config"));
        }
    }
}
