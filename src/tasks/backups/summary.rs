//! What a list shows of a backup; a thousand manifests would not fit in memory.

use crate::core::manifest::{
    BackupType, Codec, Manifest, SchemaStatus, Selection, Totals, Trigger, Warning,
};
use crate::error::Error;
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

#[derive(Debug)]
pub struct Listed {
    pub id: Uuid,
    pub tenant: String,
    /// Of one whose manifest cannot be read: when that was stored.
    pub finished_at: DateTime<Utc>,
    /// The error says how the manifest is damaged, or that a newer version wrote it.
    pub manifest: Result<Summary, Error>,
}

impl Listed {
    /// Taken by a restore before it changed anything.
    pub fn is_safety(&self) -> bool {
        let summary = self.manifest.as_ref();
        summary.is_ok_and(|m| m.trigger == Trigger::Safety)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub id: Uuid,
    pub name: String,
    pub tenant: String,
    #[serde(rename = "type")]
    pub kind: BackupType,
    pub trigger: Trigger,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub codec: Codec,
    pub database: Option<String>,
    pub selection: Selection,
    pub schema: SchemaSummary,
    pub totals: Totals,
    pub warnings: Vec<Warning>,
    /// What the source has and the backup does not.
    pub left_out: Vec<Warning>,
}

/// Whether a backup holds definitions, and why not.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaSummary {
    pub status: SchemaStatus,
    pub reason: Option<String>,
    pub pg_dump_version: Option<String>,
}

impl Summary {
    /// `full`, `database, table public.calls alone`, `safety, …`: what tells it from others.
    pub fn what_it_holds(&self) -> String {
        let kind = match (self.trigger, self.kind) {
            (Trigger::Safety, _) => "safety",
            (_, BackupType::Full) => "full",
            (_, BackupType::Database) => "database",
            (_, BackupType::Config) => "config",
        };
        match self.selection.is_whole() {
            true => kind.into(),
            false => format!("{kind}, {} alone", self.selection),
        }
    }

    pub fn of(manifest: &Manifest) -> Self {
        Self {
            id: manifest.id,
            name: manifest.name.clone(),
            tenant: manifest.tenant.clone(),
            kind: manifest.kind,
            trigger: manifest.trigger,
            started_at: manifest.started_at,
            finished_at: manifest.finished_at,
            codec: manifest.codec,
            database: manifest.source.as_ref().map(|s| s.database.clone()),
            selection: manifest.selection.clone(),
            schema: SchemaSummary {
                status: manifest.schema.status,
                reason: manifest.schema.reason.clone(),
                pg_dump_version: manifest.schema.pg_dump_version.clone(),
            },
            totals: manifest.totals,
            warnings: manifest.warnings.clone(),
            left_out: manifest.left_out.clone(),
        }
    }
}
