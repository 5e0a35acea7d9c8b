//! The record that describes one backup. Immutable once written; unknown fields are kept.

mod seal;
mod sound;
mod table;

pub(crate) use seal::too_new;
pub use seal::{FORMAT_VERSION, open, seal};
pub use table::{Column, Identity, Range, Segment, Sequence, Table, TableKind};

use crate::core::ident::QName;
use crate::core::stored::Stored;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use uuid::Uuid;

/// One backup, complete by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub format_version: u32,
    pub id: Uuid,
    pub name: String,
    pub tenant: String,
    #[serde(rename = "type")]
    pub kind: BackupType,
    pub trigger: Trigger,
    /// The backup whose range sizes and segments this one could reuse.
    pub parent: Option<Uuid>,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub tool_version: String,
    pub codec: Codec,
    /// Absent in a backup of configuration alone.
    pub source: Option<Source>,
    pub selection: Selection,
    pub schema: Schema,
    pub tables: Vec<Table>,
    pub sequences: Vec<Sequence>,
    /// In the order in which they can be refreshed.
    pub materialized_views: Vec<QName>,
    /// Definition only; their rows live elsewhere.
    pub foreign_tables: Vec<QName>,
    pub config: Vec<ConfigFile>,
    pub warnings: Vec<Warning>,
    /// What the source has and the backup does not, where nobody needs to be warned of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<Warning>,
    pub totals: Totals,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackupType {
    Full,
    Database,
    Config,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    Manual,
    Scheduled,
    Deploy,
    Safety,
}

/// How stored objects are compressed. Stored segments of one table, joined, are one valid file of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    Zstd,
    Gzip,
    None,
}

/// Where the rows came from. Never a URL or a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    pub server_version: String,
    /// As `server_version_num`, for example 150018.
    pub server_version_num: u32,
    /// Decimal text: it exceeds what a JSON number holds exactly.
    pub system_identifier: String,
    pub timeline: u32,
    pub postmaster_started_at: String,
    pub database: String,
    pub encoding: String,
    /// `pg_current_snapshot()`.
    pub snapshot: String,
    /// `pg_current_wal_lsn()` or the replay position of a standby.
    pub lsn: String,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// What was asked for; empty lists mean everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Selection {
    pub schemas: Vec<String>,
    pub tables: Vec<QName>,
    pub scope: Option<Scope>,
    /// Also the rows of the platform to which the app's foreign keys refer: users, with their password hashes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub platform_rows: bool,
}

impl Selection {
    /// Whether nothing was chosen, so that everything of the app is held.
    pub fn is_whole(&self) -> bool {
        self.schemas.is_empty() && self.tables.is_empty() && self.scope.is_none()
    }

    /// Whether a table is chosen: by its name, by its schema, or since nothing is.
    pub fn takes(&self, table: &QName) -> bool {
        let all = self.schemas.is_empty() && self.tables.is_empty();
        all || self.schemas.contains(&table.schema) || self.tables.contains(table)
    }
}

/// `schema crm, table public.calls, rows with tenant_id=42`; empty for everything.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schemas = self.schemas.iter().map(|s| format!("schema {s}"));
        let tables = self.tables.iter().map(|t| format!("table {t}"));
        let scope = self
            .scope
            .iter()
            .map(|s| format!("rows with {}={}", s.column, s.value));
        let platform = self.platform_rows.then(|| "rows of the platform".into());
        let parts: Vec<String> = schemas.chain(tables).chain(scope).chain(platform).collect();
        f.write_str(&parts.join(", "))
    }
}

/// The rows of one tenant: those whose `column` equals `value`, and what their foreign keys need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    pub column: String,
    pub value: String,
    /// Whether other tenants' rows are left out even where this tenant's refer to them. Who can make a row refer to
    /// another tenant's must not get that one so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exclusive: bool,
}

impl Scope {
    pub fn new(column: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            column: column.into(),
            value: value.into(),
            exclusive: false,
        }
    }

    pub fn is_same_tenant(&self, other: &Self) -> bool {
        (&self.column, &self.value) == (&other.column, &other.value)
    }
}

/// The DDL, captured by pg_dump in the same snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    pub status: SchemaStatus,
    /// Why there is none, for people.
    pub reason: Option<String>,
    pub pg_dump_version: Option<String>,
    pub pre_data: Option<Object>,
    pub post_data: Option<Object>,
    /// Definitions of the managed schemas that the app refers to, and what pg_dump loses (JSON).
    pub extras: Option<Object>,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SchemaStatus {
    Captured,
    /// pg_dump was not usable: restores only over existing tables.
    Missing,
    /// Not part of this backup (configuration, or one tenant's rows).
    NotIncluded,
}

/// A stored object other than a segment. Compressed with zstd unless its key says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    /// Relative to the store's prefix.
    pub key: String,
    pub raw_bytes: u64,
    pub stored_bytes: u64,
    /// BLAKE3 of the stored bytes, hex.
    pub stored_hash: String,
}

impl Object {
    /// What it must be in the store.
    pub fn stored(&self) -> Stored {
        Stored {
            bytes: self.stored_bytes,
            hash: self.stored_hash.clone(),
            crc32: None,
        }
    }
}

/// A file of the project, or the names of its environment variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigFile {
    /// As in the project: `vercel.json`, `package.json`, `env.json`.
    pub path: String,
    pub object: Object,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    /// Stable, for example `schema_missing`.
    pub code: String,
    pub message: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    pub tables: u64,
    pub rows: u64,
    /// Uncompressed bytes of rows.
    pub raw_bytes: u64,
    /// Bytes of every object this backup refers to, shared ones included.
    pub stored_bytes: u64,
    /// Bytes that were not in the store before.
    pub new_bytes: u64,
    pub files: u64,
}
