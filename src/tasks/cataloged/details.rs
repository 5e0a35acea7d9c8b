//! Everything about one backup.

use super::restore::{COLUMNS, RestoreStatus};
use crate::error::Result;
use crate::ports::catalog::{As, Catalog, moment, moment_if_any};
use crate::tasks::check::Damage;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

/// A row of `backups`, and the restores of it.
#[derive(Debug, Clone, Deserialize)]
pub struct Details {
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub name: String,
    pub backup_path: String,
    #[serde(deserialize_with = "moment")]
    pub created_at: DateTime<Utc>,
    pub created_by: Option<String>,
    pub backup_type: String,
    pub trigger: String,
    pub status: String,
    pub compressed: bool,
    pub codec: String,
    pub selection: Value,
    pub components: Vec<String>,
    pub size_bytes: Option<u64>,
    pub raw_bytes: Option<u64>,
    pub new_bytes: Option<u64>,
    pub tables: Option<u64>,
    pub records: Option<u64>,
    pub files: Option<u64>,
    /// Tables, configuration files, deployment: `{tables, files, deployment}`.
    pub contents: Value,
    pub warnings: Value,
    /// What of the app it was taken before, where a hook said so.
    pub app_version: Option<Value>,
    pub parent_id: Option<Uuid>,
    #[serde(default, deserialize_with = "moment_if_any")]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "moment_if_any")]
    pub finished_at: Option<DateTime<Utc>>,
    pub progress: Option<Value>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    #[serde(default, deserialize_with = "moment_if_any")]
    pub verified_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "moment_if_any")]
    pub checked_at: Option<DateTime<Utc>>,
    /// What the last check took, and the stored bytes that it read.
    pub check_ms: Option<u64>,
    pub check_bytes: Option<u64>,
    pub damage: Option<Damage>,
    pub anomalies: Value,
    pub pinned: bool,
    pub note: Option<String>,
    #[serde(default, deserialize_with = "moment_if_any")]
    pub expires_at: Option<DateTime<Utc>>,
    pub attempt: u32,
    /// Seconds.
    pub estimated_seconds: Option<u64>,
    #[serde(default)]
    pub restore_operations: Vec<RestoreStatus>,
}

const OWN_COLUMNS: &str = "id,tenant_id,name,backup_path,created_at,created_by,backup_type,trigger,status,compressed,\
    codec,selection,components,size_bytes,raw_bytes,new_bytes,tables,records,files,contents,warnings,parent_id,app_version,\
    started_at,finished_at,progress,error_code,error_message,verified_at,checked_at,check_ms,check_bytes,damage,anomalies,\
    pinned,note,expires_at,attempt,estimated_seconds";

/// None where there is no such backup, or it is another tenant's.
pub async fn details(catalog: &Catalog, token: &str, backup: Uuid) -> Result<Option<Details>> {
    // Which key leads there must be said: safety_backup_id leads from restores to backups too.
    let columns =
        format!("{OWN_COLUMNS},restore_operations!restore_operations_backup_id_fkey({COLUMNS})");
    let rows = catalog
        .read(As::Person(token), "backups", |query| {
            query.select(columns).eq("id", backup.to_string()).limit(1)
        })
        .await?;
    Ok(rows.into_iter().next())
}
