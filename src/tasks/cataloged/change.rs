//! Renaming, pinning, annotating, deleting and cancelling.

use super::{Asked, Asker, Nothing, ask};
use crate::error::Result;
use crate::ports::catalog::{Catalog, Repeat};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// What shall be otherwise; what is absent stays.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Change {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `Null` takes the note away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
}

pub async fn change(
    catalog: &Catalog,
    asker: &Asker,
    backup: Uuid,
    change: &Change,
) -> Result<Asked<Nothing>> {
    let arguments =
        json!({ "backup": backup, "change": change, "door": asker.door, "address": asker.address });
    ask(
        catalog,
        asker,
        "rovodev_change_backup",
        &arguments,
        Repeat::Safely,
    )
    .await
}

/// A job that was made.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deleting {
    pub job_id: Uuid,
}

/// Out of every list at once; a job takes it out of the store.
pub async fn delete(catalog: &Catalog, asker: &Asker, backup: Uuid) -> Result<Asked<Deleting>> {
    let arguments = json!({ "backup": backup, "door": asker.door, "address": asker.address });
    ask(
        catalog,
        asker,
        "rovodev_delete_backup",
        &arguments,
        Repeat::Unsent,
    )
    .await
}

/// `cancelled`, or `cancelling` while somebody is still at work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cancelling {
    pub status: String,
}

/// Cancels the backup while it is taken, else the restore of it that runs, or the one named.
pub async fn cancel(
    catalog: &Catalog,
    asker: &Asker,
    backup: Uuid,
    operation: Option<Uuid>,
) -> Result<Asked<Cancelling>> {
    let arguments = json!({
        "backup": backup, "operation": operation, "door": asker.door, "address": asker.address,
    });
    ask(catalog, asker, "rovodev_cancel", &arguments, Repeat::Safely).await
}
