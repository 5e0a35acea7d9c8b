//! Exports that ended: expired, revoked, failed, or of a backup that is gone.

use crate::core::keys;
use crate::error::Result;
use crate::ports::catalog::{As, Catalog, Repeat};
use crate::ports::store::Store;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ended {
    id: Uuid,
    store_key: String,
}

/// Takes their objects out of the store; returns how many there were. Safe to repeat, and to run twice at once.
pub async fn drop_ended(catalog: &Catalog, store: &Store) -> Result<usize> {
    let ended: Vec<Ended> = catalog
        .call(
            As::Jobs,
            "rovodev_ended_exports",
            &json!({}),
            Repeat::Safely,
        )
        .await?;
    if ended.is_empty() {
        return Ok(0);
    }
    for export in &ended {
        // Unfinished uploads of attempts that were killed are not seen and still paid for.
        store.abandon(&export.store_key).await?;
    }
    let doomed: Vec<String> = ended.iter().map(|e| e.store_key.clone()).collect();
    debug_assert!(doomed.iter().all(|key| key.starts_with(keys::EXPORTS)));
    store.delete(&doomed).await?;
    let ids: Vec<Uuid> = ended.iter().map(|e| e.id).collect();
    let noted: Result<Value> = catalog
        .call(
            As::Jobs,
            "rovodev_dropped_exports",
            &json!({ "exports": ids }),
            Repeat::Safely,
        )
        .await;
    noted.map(|_| ended.len())
}
