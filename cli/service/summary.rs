//! A row of the catalog as backups are shown everywhere.

use rovodev::core::manifest::{SchemaStatus, Totals};
use rovodev::tasks::backups::{SchemaSummary, Summary};
use rovodev::tasks::operators::BackupRow;
use serde_json::{Value, json};

pub fn of(row: &BackupRow) -> Summary {
    let contents = &row.contents;
    let definitions = contents.definitions.as_ref();
    Summary {
        id: row.id,
        name: row.name.clone(),
        tenant: row.tenant().to_string(),
        kind: row.backup_type,
        trigger: row.trigger,
        started_at: row.started_at.unwrap_or(row.created_at),
        finished_at: row.finished_at.unwrap_or(row.created_at),
        codec: row.codec,
        database: contents.source.as_ref().map(|s| s.database.clone()),
        selection: row.selection.clone(),
        schema: SchemaSummary {
            status: definitions.map_or(SchemaStatus::NotIncluded, |d| d.status),
            reason: definitions.and_then(|d| d.reason.clone()),
            pg_dump_version: definitions.and_then(|d| d.pg_dump_version.clone()),
        },
        totals: Totals {
            tables: row.tables(),
            rows: row.records(),
            raw_bytes: row.raw_bytes.unwrap_or(0),
            stored_bytes: row.size_bytes.unwrap_or(0),
            new_bytes: row.new_bytes.unwrap_or(0),
            files: row.files(),
        },
        warnings: row.warnings(),
        left_out: contents.left_out.clone(),
    }
}

/// The same object as from a store, and what the catalog alone knows. What a list leaves out is null.
pub fn json(row: &BackupRow) -> Value {
    let mut shown = json!(of(row));
    if row.contents.definitions.is_none() {
        shown["schema"] = Value::Null;
    }
    if row.finished_at.is_none() {
        shown["finishedAt"] = Value::Null;
    }
    shown["status"] = json!(row.status);
    shown["createdAt"] = json!(row.created_at);
    shown["createdBy"] = json!(row.created_by);
    shown["warningCount"] = json!(row.warning_count());
    shown["damaged"] = json!(row.is_damaged());
    shown["pinned"] = json!(row.pinned);
    shown["note"] = json!(row.note);
    shown["error"] = json!(row.failure());
    shown
}
