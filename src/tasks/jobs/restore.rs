//! A restore, its preview, or its undo.

use super::heartbeat::Held;
use super::{Job, OperationRow, Workshop, backup};
use crate::core::manifest::{BackupType, Selection, Trigger};
use crate::core::restore_plan::{Choice, Component, Outcome, Plan};
use crate::error::{Code, Error, Result};
use crate::tasks::create::{self, CreateRequest};
use crate::tasks::restore::{RestoreRequest, in_place};
use crate::tasks::{Context, backups, open_store};
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub async fn run(
    ctx: &Context,
    workshop: &Workshop,
    job: &Job,
    held: &Held,
) -> Result<Map<String, Value>> {
    let operation = job
        .operation
        .as_ref()
        .ok_or_else(|| Error::new(Code::Internal, "a restore without its operation"))?;
    if let Some(reversed) = operation.undo_of {
        return undo(ctx, workshop, operation, reversed).await;
    }
    // An attempt before this one may have died after the commit.
    if !operation.preview
        && job.token > 1
        && in_place::was_done(&workshop.source, operation.id).await?
    {
        return done_before(workshop, operation.id).await;
    }
    let manifest = backups::read(&workshop.store, &job.tenant.slug, job.backup.id).await?;
    let request = RestoreRequest {
        operation: Some(operation.id),
        backup: manifest,
        target: workshop.source.clone(),
        source: Some(workshop.source.clone()),
        mode: operation.mode,
        choice: Choice {
            components: vec![Component::Database],
            selection: operation.selection.clone(),
        },
        force: operation.force,
        writers: workshop.writers,
        room: workshop.room,
    };
    if operation.preview {
        let plan = Box::pin(in_place::plan(ctx, &workshop.store, &request)).await?;
        return Ok(columns(json!({ "plan": plan, "warnings": plan.warnings })));
    }
    let safety = safety(ctx, workshop, job, operation, held).await?;
    let prepared = Box::pin(in_place::prepare(ctx, &workshop.store, &request, safety)).await?;
    let plan = prepared.plan().clone();
    let outcome = Box::pin(prepared.apply(ctx)).await?;
    Ok(result(Some(&plan), &outcome))
}

/// The backup before the restore: once per operation, whatever attempt this is.
async fn safety(
    ctx: &Context,
    workshop: &Workshop,
    job: &Job,
    operation: &OperationRow,
    held: &Held,
) -> Result<Option<Uuid>> {
    let Some(id) = operation.safety_backup_id else {
        return Ok(None);
    };
    let manifest = match backups::read(&workshop.store, &job.tenant.slug, id).await {
        Ok(manifest) => manifest,
        Err(e) if e.code == Code::BackupNotFound => {
            let key = workshop.store_key.as_deref();
            let opened = open_store::open(ctx, &workshop.store, key, false).await?;
            let request = CreateRequest {
                id: Some(id),
                database: Some(workshop.source.clone()),
                kind: BackupType::Database,
                trigger: Trigger::Safety,
                codec: job.backup.codec,
                name: Some(format!(
                    "before-restore_{}",
                    ctx.clock.now().format("%Y-%m-%d_%H-%M-%S-%3f")
                )),
                tenant: job.tenant.slug.clone(),
                selection: touched(&operation.selection, &job.backup.selection),
                project: workshop.project.clone(),
                pg_dump: workshop.pg_dump.clone(),
                readers: workshop.readers,
                yield_after: create::YIELD_AFTER,
            };
            create::create(ctx, &opened, &request)
                .await
                .map_err(|e| e.during("taking the safety backup; nothing was changed"))?
        }
        Err(e) => return Err(e),
    };
    let fields = Value::Object(backup::fields(&manifest));
    held.call("rovodev_record_safety_backup", json!({ "fields": fields }))
        .await?
        .ok_or_else(Error::cancelled)?;
    Ok(Some(id))
}

/// What the restore may touch.
fn touched(chosen: &Selection, backed_up: &Selection) -> Selection {
    match chosen.schemas.is_empty() && chosen.tables.is_empty() {
        true => backed_up.clone(),
        false => chosen.clone(),
    }
}

async fn undo(
    ctx: &Context,
    workshop: &Workshop,
    operation: &OperationRow,
    reversed: Uuid,
) -> Result<Map<String, Value>> {
    let undone = match operation.force {
        true => {
            in_place::undo_unchanged(ctx, &workshop.source, reversed, operation.preview).await?
        }
        false => in_place::undo(ctx, &workshop.source, reversed, operation.preview).await?,
    };
    Ok(result(None, &undone))
}

async fn done_before(workshop: &Workshop, id: Uuid) -> Result<Map<String, Value>> {
    let done = in_place::operations(&workshop.source)
        .await?
        .into_iter()
        .find(|o| o.id == id)
        .ok_or_else(|| Error::new(Code::OperationNotFound, "the restore's record is gone"))?;
    Ok(columns(json!({ "result": {
        "rowsAdded": done.added, "rowsChanged": done.changed, "rowsRemoved": done.removed,
        "recordsRestored": done.added + done.changed,
    } })))
}

fn result(plan: Option<&Plan>, outcome: &Outcome) -> Map<String, Value> {
    columns(json!({
        "plan": plan,
        "result": {
            "tablesRestored": outcome.tables, "rowsAdded": outcome.rows_added,
            "recordsRestored": outcome.rows_added + outcome.rows_changed,
            "rowsChanged": outcome.rows_changed, "rowsRemoved": outcome.rows_removed,
            "undoable": outcome.undo_schema.is_some(),
        },
        "warnings": outcome.warnings,
    }))
}

fn columns(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(columns) => columns,
        _ => Map::new(),
    }
}
