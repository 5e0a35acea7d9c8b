//! The audit log: what was done and refused in a tenant.

use super::{Asked, Asker, Nothing, ask};
use crate::error::Result;
use crate::ports::catalog::{Catalog, Repeat};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// What to list; empty lists let everything through.
#[derive(Debug, Clone, Default)]
pub struct ActivityFilter {
    pub actions: Vec<String>,
    pub outcomes: Vec<String>,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
    /// Part of who did it or of a backup's name, whatever its case.
    pub search: Option<String>,
    /// 1 to 200.
    pub limit: usize,
    /// The id of the last entry of the page before.
    pub before: Option<i64>,
}

/// One thing that was done or refused. Field names are the API's.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub id: i64,
    pub at: DateTime<Utc>,
    pub actor: String,
    pub door: String,
    pub action: String,
    pub outcome: String,
    pub code: Option<String>,
    pub address: Option<String>,
    pub object_type: Option<String>,
    pub object_id: Option<Uuid>,
    /// The backup it is about, while that is there.
    pub backup_id: Option<Uuid>,
    pub backup_name: Option<String>,
    pub detail: Value,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Entries {
    pub entries: Vec<Entry>,
}

/// Newest first. `limit + 1` entries come back where there is another page.
pub async fn list_activity(
    catalog: &Catalog,
    asker: &Asker,
    filter: &ActivityFilter,
) -> Result<Asked<Entries>> {
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let arguments = json!({
        "tenant": asker.tenant,
        "actions": some(&filter.actions),
        "outcomes": some(&filter.outcomes),
        "at_from": filter.from,
        "at_to": filter.to,
        "search": filter.search,
        "page_size": filter.limit + 1,
        "before": filter.before,
    });
    let function = "rovodev_list_activity";
    ask(catalog, asker, function, &arguments, Repeat::Safely).await
}

/// Asks for the whole log as a file: counted, and kept in the log itself.
pub async fn note_activity_export(
    catalog: &Catalog,
    asker: &Asker,
    format: &str,
) -> Result<Asked<Nothing>> {
    let arguments = json!({
        "tenant": asker.tenant, "format": format, "door": asker.door, "address": asker.address,
    });
    let function = "rovodev_note_activity_export";
    ask(catalog, asker, function, &arguments, Repeat::Unsent).await
}
