//! A page of a tenant's backups.

use super::{Asked, Asker, Nothing, ask};
use crate::error::Result;
use crate::ports::catalog::{Catalog, Repeat};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Sort {
    #[default]
    CreatedAt,
    Size,
    Type,
}

/// What to list; empty lists let everything through.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub types: Vec<String>,
    pub statuses: Vec<String>,
    pub triggers: Vec<String>,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
    /// Part of a name or a note, whatever its case.
    pub search: Option<String>,
    pub sort: Sort,
    pub ascending: bool,
    /// 1 to 200.
    pub limit: usize,
    /// The last row of the page before: what it was sorted by, and its id.
    pub after: Option<(String, Uuid)>,
    /// Backups of this order before the page, counted from `after` on where that is given.
    pub skipped: u32,
}

/// A backup in a list. Field names are the API's.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    pub id: Uuid,
    pub name: String,
    /// Folder in the store.
    pub path: String,
    pub created_at: DateTime<Utc>,
    /// Bytes in the store.
    pub size: u64,
    #[serde(rename = "type")]
    pub kind: String,
    pub trigger: String,
    pub status: String,
    pub components: Vec<String>,
    pub compressed: bool,
    pub codec: String,
    pub tables: Option<u64>,
    pub records: Option<u64>,
    pub files: Option<u64>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub progress: Option<Value>,
    pub error_code: Option<String>,
    pub error: Option<String>,
    pub verified_at: Option<DateTime<Utc>>,
    /// When everything was last read back from the store, and whether it was not what was written.
    pub checked_at: Option<DateTime<Utc>>,
    pub damaged: bool,
    /// In how many ways it differs from those before it.
    pub anomalies: u64,
    pub pinned: bool,
    pub note: Option<String>,
    pub expires_at: Option<DateTime<Utc>>,
    pub warnings: u64,
    pub created_by: Option<String>,
    pub selection: Value,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Page {
    /// Backups that fit the filter, on all pages.
    pub total: u64,
    pub backups: Vec<Listed>,
}

/// One request to the catalog, whatever the filter. `limit + 1` rows come back where there is another page.
pub async fn list(catalog: &Catalog, asker: &Asker, filter: &Filter) -> Result<Asked<Page>> {
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let arguments = json!({
        "tenant": asker.tenant,
        "types": some(&filter.types),
        "statuses": some(&filter.statuses),
        "triggers": some(&filter.triggers),
        "created_from": filter.from,
        "created_to": filter.to,
        "search": filter.search,
        "sort": filter.sort,
        "ascending": filter.ascending,
        "page_size": filter.limit + 1,
        "cursor_value": filter.after.as_ref().map(|(value, _)| value),
        "cursor_id": filter.after.as_ref().map(|(_, id)| id),
        "skipped": filter.skipped,
    });
    ask(
        catalog,
        asker,
        "rovodev_list_backups",
        &arguments,
        Repeat::Safely,
    )
    .await
}

/// Asks for the whole list as a file: counted, and kept in the audit log.
pub async fn note_export(catalog: &Catalog, asker: &Asker, format: &str) -> Result<Asked<Nothing>> {
    let arguments = json!({
        "tenant": asker.tenant, "format": format, "door": asker.door, "address": asker.address,
    });
    let function = "rovodev_note_list_export";
    ask(catalog, asker, function, &arguments, Repeat::Unsent).await
}

impl Listed {
    /// What the next page's [`Filter::after`] names.
    pub fn sort_value(&self, sort: Sort) -> String {
        match sort {
            Sort::CreatedAt => self.created_at.to_rfc3339(),
            Sort::Size => self.size.to_string(),
            Sort::Type => self.kind.clone(),
        }
    }
}
