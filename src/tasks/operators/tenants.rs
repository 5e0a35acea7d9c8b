//! Tenants, for operators.

use super::Operator;
use crate::error::Result;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// A tenant, and what its backups take in the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TenantRow {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    /// Whether it is the rows of one value, and not the whole database.
    pub scoped: bool,
    pub backups: u64,
    /// Bytes.
    pub stored: u64,
    pub quota: Option<u64>,
}

/// What a tenant stores and may store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Quota {
    pub stored: u64,
    pub quota: Option<u64>,
}

impl Operator {
    /// All of them, by their slugs.
    pub async fn tenants(&self) -> Result<Vec<TenantRow>> {
        #[derive(Deserialize)]
        struct Listed {
            tenants: Vec<TenantRow>,
        }
        let function = "rovodev_operators_list_tenants";
        let listed: Listed = self.read(function, json!({})).await?;
        Ok(listed.tenants)
    }

    /// Says how much the tenant may store; none takes the limit away.
    pub async fn set_quota(&self, bytes: Option<u64>) -> Result<Quota> {
        let wanted = json!({ "tenant": self.tenant, "actor": self.actor, "bytes": bytes });
        self.read("rovodev_operators_set_quota", wanted).await
    }
}
