//! Taking a backup that somebody asked for.

use super::compared::compared;
use super::{BackupRow, Job, Workshop};
use crate::core::keys;
use crate::core::manifest::{BackupType, Manifest, Selection};
use crate::error::{Code, Result};
use crate::tasks::create::{self, CreateRequest};
use crate::tasks::{Context, backups, open_store};
use serde_json::{Map, Value, json};

pub async fn run(ctx: &Context, workshop: &Workshop, job: &Job) -> Result<Map<String, Value>> {
    let (tenant, row) = (&job.tenant.slug, &job.backup);
    // An attempt before this one may have died between the manifest and its word to the catalog.
    match backups::read(&workshop.store, tenant, row.id).await {
        Ok(manifest) => return Ok(completed(workshop, job, &manifest).await),
        Err(e) if e.code == Code::BackupNotFound => {}
        Err(e) => return Err(e),
    }
    let key = workshop.store_key.as_deref();
    let opened = open_store::open(ctx, &workshop.store, key, true).await?;
    let request = CreateRequest {
        id: Some(row.id),
        database: (row.backup_type != BackupType::Config).then(|| workshop.source.clone()),
        kind: row.backup_type,
        trigger: row.trigger,
        codec: row.codec,
        name: Some(row.name.clone()),
        tenant: tenant.clone(),
        selection: selection(row),
        project: workshop.project.clone(),
        pg_dump: workshop.pg_dump.clone(),
        readers: workshop.readers,
        yield_after: create::YIELD_AFTER,
    };
    let manifest = create::create(ctx, &opened, &request).await?;
    Ok(completed(workshop, job, &manifest).await)
}

/// Rows of the platform are left out whatever the row says: password hashes and e-mail addresses of everybody are for who
/// has the store and the database at hand.
fn selection(row: &BackupRow) -> Selection {
    Selection {
        platform_rows: false,
        ..row.selection.clone()
    }
}

async fn completed(workshop: &Workshop, job: &Job, manifest: &Manifest) -> Map<String, Value> {
    let mut fields = fields(manifest);
    let anomalies = compared(workshop, job, manifest).await;
    fields.insert("anomalies".into(), json!(anomalies));
    fields
}

/// Columns of `backups` that the manifest fills.
pub(super) fn fields(manifest: &Manifest) -> Map<String, Value> {
    let mut components = Vec::new();
    if manifest.source.is_some() {
        components.push("database");
    }
    if !manifest.config.is_empty() {
        components.push("config");
    }
    let totals = &manifest.totals;
    let columns = json!({
        "started_at": manifest.started_at, "finished_at": manifest.finished_at,
        "manifest_key": keys::manifest(&manifest.tenant, manifest.id), "parent_id": manifest.parent,
        "components": components, "size_bytes": totals.stored_bytes, "raw_bytes": totals.raw_bytes,
        "new_bytes": totals.new_bytes, "tables": totals.tables, "records": totals.rows, "files": totals.files,
        "contents": contents(manifest),
        "warnings": manifest.warnings,
    });
    match columns {
        Value::Object(columns) => columns,
        _ => Map::new(),
    }
}

/// What one backup's page shows of its inside.
fn contents(manifest: &Manifest) -> Value {
    let tables: Vec<Value> = manifest
        .tables
        .iter()
        .map(|t| {
            json!({
                "schema": t.name.schema, "name": t.name.name, "records": t.rows, "rawSize": t.raw_bytes,
                "size": t.segments().map(|s| s.stored_bytes).sum::<u64>(),
            })
        })
        .collect();
    let files: Vec<Value> = manifest
        .config
        .iter()
        .map(|f| json!({ "name": f.path, "size": f.object.raw_bytes }))
        .collect();
    let schema = &manifest.schema;
    let mut contents = json!({ "tables": tables, "files": files, "schema": schema.status });
    // A tenant with a scope gets rows and nothing of the project around them.
    if manifest.selection.scope.is_none() {
        contents["definitions"] = json!({
            "status": schema.status, "reason": schema.reason, "pgDumpVersion": schema.pg_dump_version,
        });
        contents["source"] = json!(manifest.source.as_ref().map(|s| json!({
            "database": s.database, "serverVersion": s.server_version,
        })));
        contents["leftOut"] = json!(manifest.left_out);
    }
    contents
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_job_takes_rows_of_the_platform() {
        let row = json!({
            "id": uuid::Uuid::nil(), "name": "b", "backup_type": "database", "trigger": "manual", "codec": "zstd",
            "selection": {"schemas": ["auth"], "platformRows": true, "platform_rows": true},
        });
        let row: BackupRow = serde_json::from_value(row).unwrap();
        assert!(row.selection.platform_rows, "it is what would be read");
        let asked = selection(&row);
        assert_eq!(
            (asked.platform_rows, asked.schemas),
            (false, vec!["auth".into()])
        );
    }
}
