//! The restores of a tenant, whoever asked for them.

use super::{Asked, Asker, ask};
use crate::error::Result;
use crate::ports::catalog::{Catalog, Repeat};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// What to list.
#[derive(Debug, Clone)]
pub struct RestoresFilter {
    /// None lets everything through.
    pub statuses: Vec<String>,
    /// 1 to 50.
    pub limit: usize,
}

/// A restore, or the undo of one; never a preview. Field names are the API's.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedRestore {
    pub operation_id: Uuid,
    pub backup_id: Uuid,
    /// While the backup is there.
    pub backup_name: Option<String>,
    pub status: String,
    pub mode: String,
    pub preview: bool,
    pub undo_of: Option<Uuid>,
    pub requested_by: Option<String>,
    pub created_at: DateTime<Utc>,
    pub progress: Option<Value>,
    pub undone_at: Option<DateTime<Utc>>,
    /// Until when it can be undone.
    pub undo_until: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Restores {
    pub restores: Vec<ListedRestore>,
}

/// Newest first.
pub async fn list_restores(
    catalog: &Catalog,
    asker: &Asker,
    filter: &RestoresFilter,
) -> Result<Asked<Restores>> {
    let arguments = json!({
        "tenant": asker.tenant,
        "statuses": (!filter.statuses.is_empty()).then_some(&filter.statuses),
        "page_size": filter.limit,
    });
    let function = "rovodev_list_restores";
    ask(catalog, asker, function, &arguments, Repeat::Safely).await
}
