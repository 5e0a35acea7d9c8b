//! What a pg_dump of the app's schemas loses: definitions of managed schemas that the app refers to, and the app's
//! own objects that lie outside its schemas. Stored as one JSON object beside the DDL.

use crate::error::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Every list is in the order in which its statements can run. A password or secret never stands here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Extras {
    pub managed: Vec<ManagedSchema>,
    /// Roles that own something, hold a grant or are named by a policy in the database; `name` is the role's.
    pub roles: Vec<Item>,
    /// `GRANT role TO role`.
    pub memberships: Vec<Item>,
    /// The app's triggers on managed tables.
    pub triggers: Vec<Item>,
    /// Policies on managed tables.
    pub policies: Vec<Item>,
    /// Which of the app's tables each publication holds.
    pub publications: Vec<Item>,
    pub database_settings: Vec<Item>,
    /// Settings of a role in this database alone.
    pub role_settings_here: Vec<Item>,
    /// Settings of a role in every database of the server; `name` is the role's.
    pub role_settings: Vec<Item>,
    pub cron_jobs: Vec<Item>,
    /// Rows of extensions' configuration tables.
    pub extension_rows: Vec<Item>,
    /// What the source has and the backup does not (secrets, tables too large or unreadable), for people.
    pub left_out: Vec<String>,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// A schema that the platform keeps, written only where a target lacks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedSchema {
    pub name: String,
    /// pg_dump's output for this schema alone.
    pub pre_data: String,
    pub post_data: String,
}

/// One thing and the SQL that makes it again, whole in itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// What it is, for people.
    pub name: String,
    pub sql: String,
    /// Whether a restore goes on with a warning when the target does not take it.
    pub optional: bool,
}

impl Extras {
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|e| Error::new(Code::Internal, "the extras could not be written").source(e))
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|e| {
            Error::new(
                Code::ObjectDamaged,
                "the backup's extras (definitions beside the schema) cannot be read",
            )
            .source(e)
        })
    }
}
