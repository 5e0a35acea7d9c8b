//! Backups before deployments: what hooks ask for.

use crate::error::Result;
use crate::ports::catalog::{As, Catalog, Repeat};
use crate::tasks::cataloged::{Asked, ScheduleRun};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What of the app goes live; the backup keeps it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppVersion {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The branch or tag.
    #[serde(skip_serializing_if = "Option::is_none", rename = "ref")]
    pub reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// What a call of a hook began.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    pub backups: Vec<ScheduleRun>,
    /// The same call came before; nothing was begun again.
    pub replayed: bool,
    /// A check at Vercel is to be opened or ended.
    #[serde(default, skip_serializing)]
    pub held: bool,
}

/// A delivery of Vercel about a deployment.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Chosen by Vercel; a second one with it begins nothing.
    pub id: &'a str,
    /// Whether the deployment was just created.
    pub begins: bool,
    /// Whether somebody can hold it.
    pub holds: bool,
    pub address: Option<&'a str>,
}

/// Begins the backups of every schedule that runs at deployments.
pub async fn receive_deployment(
    catalog: &Catalog,
    delivery: Delivery<'_>,
    version: &AppVersion,
) -> Result<Asked<Begun>> {
    let arguments = json!({
        "delivery": delivery.id, "version": version, "begins": delivery.begins, "holds": delivery.holds,
        "address": delivery.address,
    });
    // Sent again after an answer that was lost, it would pass for a replay, and nobody would work on its jobs at once.
    let function = "rovodev_receive_deployment";
    catalog
        .call(As::Jobs, function, &arguments, Repeat::Unsent)
        .await
}

/// Begins a backup of the schedule whose secret has this hash.
pub async fn receive_hook(
    catalog: &Catalog,
    secret_hash: &str,
    version: &AppVersion,
    key: Option<&str>,
    request_hash: &str,
    address: Option<&str>,
) -> Result<Asked<Begun>> {
    let arguments = json!({
        "secret_hash": secret_hash, "version": version, "idempotency_key": key, "request_hash": request_hash,
        "address": address,
    });
    catalog
        .call(As::Jobs, "rovodev_receive_hook", &arguments, Repeat::Unsent)
        .await
}

/// A secret of a hook, and what the catalog keeps of it.
pub fn new_secret() -> (String, String) {
    let random = || uuid::Uuid::new_v4().simple();
    let secret = format!("{SECRET_PREFIX}{}{}", random(), random());
    let hash = secret_hash(&secret);
    (secret, hash)
}

/// By which a secret is known for one, in logs and by scanners of repositories.
pub const SECRET_PREFIX: &str = "rovodev_hook_";

pub fn secret_hash(secret: &str) -> String {
    blake3::hash(secret.as_bytes()).to_hex().to_string()
}
