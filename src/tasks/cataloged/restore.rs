//! Asking for a restore, its preview or its undo, and how far it is.

use super::{Asked, Asker, ask};
use crate::core::ident::QName;
use crate::error::Result;
use crate::ports::catalog::{As, Catalog, Repeat, moment, moment_if_any};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// As the catalog keeps it. Field names are the API's.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreBackup {
    pub components: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<QName>,
    /// `inPlace`, `sandbox`, `url`, `verify`.
    pub target: String,
    /// `missing`, `keepNewer`, `exact`.
    pub mode: String,
    pub force: bool,
    /// Leaves out rows whose parents are gone, instead of refusing the restore.
    pub leave_out_orphans: bool,
    /// Of an undo: leaves rows alone that changed since, instead of refusing it.
    pub leave_changed: bool,
    /// Stops after the plan and changes nothing.
    pub preview: bool,
    /// The restore to reverse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Uuid>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreAnswer {
    pub operation_id: Uuid,
    pub job_id: Uuid,
    pub status: String,
    pub safety_backup_id: Option<Uuid>,
    /// Seconds that the restore takes, from past ones of this tenant; of a preview, those of the restore itself.
    pub estimated_time: Option<u64>,
}

pub async fn restore(
    catalog: &Catalog,
    asker: &Asker,
    backup: Uuid,
    request: &RestoreBackup,
) -> Result<Asked<RestoreAnswer>> {
    let arguments = json!({
        "backup": backup, "request": request, "door": asker.door, "address": asker.address,
    });
    ask(
        catalog,
        asker,
        "rovodev_restore_backup",
        &arguments,
        Repeat::Unsent,
    )
    .await
}

/// A row of `restore_operations`.
#[derive(Debug, Clone, Deserialize)]
pub struct RestoreStatus {
    pub id: Uuid,
    pub status: String,
    pub target: String,
    pub mode: String,
    pub preview: bool,
    pub undo_of: Option<Uuid>,
    #[serde(deserialize_with = "moment")]
    pub created_at: DateTime<Utc>,
    #[serde(default, deserialize_with = "moment_if_any")]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "moment_if_any")]
    pub completed_at: Option<DateTime<Utc>>,
    pub initiated_by: Option<String>,
    pub progress: Option<Value>,
    pub plan: Option<Value>,
    pub result: Value,
    pub warnings: Value,
    pub safety_backup_id: Option<Uuid>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    #[serde(default, deserialize_with = "moment_if_any")]
    pub undone_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "moment_if_any")]
    undo_until: Option<DateTime<Utc>>,
    /// Seconds.
    pub estimated_seconds: Option<u64>,
}

pub(super) const COLUMNS: &str = "id,status,target,mode,preview,undo_of,created_at,started_at,completed_at,\
    initiated_by,progress,plan,result,warnings,safety_backup_id,error_code,error_message,undone_at,\
    undo_until,estimated_seconds";

impl RestoreStatus {
    /// Until when it can be undone; none where there is nothing to undo, or nothing any more.
    pub fn undo_until(&self) -> Option<DateTime<Utc>> {
        let open = self.undone_at.is_none() && self.result["undoable"] == true;
        self.undo_until.filter(|_| open)
    }
}

/// The restore named, or the newest one of this backup; none where the caller may not see one.
pub async fn restore_status(
    catalog: &Catalog,
    token: &str,
    backup: Uuid,
    operation: Option<Uuid>,
) -> Result<Option<RestoreStatus>> {
    let rows = catalog
        .read(As::Person(token), "restore_operations", |query| {
            let query = query
                .select(COLUMNS)
                .eq("backup_id", backup.to_string())
                .order("created_at.desc")
                .limit(1);
            match operation {
                Some(id) => query.eq("id", id.to_string()),
                None => query,
            }
        })
        .await?;
    Ok(rows.into_iter().next())
}
