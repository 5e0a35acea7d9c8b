//! Everything about one backup.

use crate::error::Result;
use crate::ports::catalog::{As, Catalog};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

/// A row of `backups`.
#[derive(Debug, Clone, Deserialize)]
pub struct Details {
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub name: String,
    pub backup_path: String,
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
    pub parent_id: Option<Uuid>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub progress: Option<Value>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub verified_at: Option<DateTime<Utc>>,
    pub pinned: bool,
    pub note: Option<String>,
    pub expires_at: Option<DateTime<Utc>>,
    pub attempt: u32,
    /// Seconds.
    pub estimated_seconds: Option<u64>,
}

const COLUMNS: &str = "id,tenant_id,name,backup_path,created_at,created_by,backup_type,trigger,status,compressed,\
    codec,selection,components,size_bytes,raw_bytes,new_bytes,tables,records,files,contents,warnings,parent_id,\
    started_at,finished_at,progress,error_code,error_message,verified_at,pinned,note,expires_at,attempt,\
    estimated_seconds";

/// None where there is no such backup, or it is another tenant's.
pub async fn details(catalog: &Catalog, token: &str, backup: Uuid) -> Result<Option<Details>> {
    let rows = catalog
        .read(As::Person(token), "backups", |query| {
            query.select(COLUMNS).eq("id", backup.to_string()).limit(1)
        })
        .await?;
    Ok(rows.into_iter().next())
}
