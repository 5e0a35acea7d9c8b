//! Asking for a backup: a row and a message in the queue, written together.

use super::{Asked, Asker, ask};
use crate::core::ident::QName;
use crate::core::manifest::{BackupType, Codec};
use crate::error::Result;
use crate::ports::catalog::{Catalog, Repeat};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

#[derive(Debug, Clone, Serialize)]
pub struct CreateBackup {
    #[serde(rename = "type")]
    pub kind: BackupType,
    pub codec: Codec,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<QName>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateAnswer {
    pub id: Uuid,
    pub job_id: Uuid,
    pub status: String,
    pub path: String,
    /// Seconds, from past runs of this tenant.
    pub estimated_time: Option<u64>,
    /// The same answer was given to the same key before; its job is not started again.
    #[serde(default, skip_serializing)]
    pub replayed: bool,
}

/// `key` makes the request safe to send again; `request_hash` tells whether it is the same one.
pub async fn create(
    catalog: &Catalog,
    asker: &Asker,
    request: &CreateBackup,
    key: Option<&str>,
    request_hash: &str,
) -> Result<Asked<CreateAnswer>> {
    let arguments = json!({
        "tenant": asker.tenant, "request": request, "idempotency_key": key, "request_hash": request_hash,
        "door": asker.door, "address": asker.address,
    });
    let repeat = match key {
        Some(_) => Repeat::Safely,
        None => Repeat::Unsent,
    };
    ask(catalog, asker, "rovodev_create_backup", &arguments, repeat).await
}
