//! A restore, its preview, or its undo.

use super::heartbeat::Held;
use super::{Job, OperationRow, Tenant, Workshop, backup, worth_a_retry};
use crate::core::manifest::Manifest;
use crate::core::restore_plan::{Choice, Component, Outcome, Plan};
use crate::error::{Code, Error, Result};
use crate::tasks::restore::in_place::{Prepared, UndoRequest};
use crate::tasks::restore::safety::Keeper;
use crate::tasks::restore::{RestoreRequest, in_place};
use crate::tasks::{Context, backups};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use std::sync::atomic::Ordering;
use uuid::Uuid;

const IN_PLACE: &str = "inPlace";

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
    // Who may restore elsewhere may not therefore restore in place.
    if operation.target != IN_PLACE {
        return Err(Error::new(
            Code::Internal,
            format!("no job restores to the target {:?}", operation.target),
        ));
    }
    // An attempt before this one may have died after the commit.
    if !operation.preview
        && job.token > 1
        && in_place::was_done(&workshop.source, operation.id).await?
    {
        if let Some(id) = operation.safety_backup_id {
            let taken = backups::read(&workshop.store, &job.tenant.slug, id).await;
            record(held, taken.ok().as_ref()).await?;
        }
        return done_before(workshop, operation.id).await;
    }
    if let Some(reversed) = operation.undo_of {
        return undo(ctx, workshop, operation, reversed).await;
    }
    let mut manifest = backups::read(&workshop.store, &job.tenant.slug, job.backup.id).await?;
    // It may have been renamed since.
    manifest.name.clone_from(&job.backup.name);
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
        leave_out_orphans: operation.leave_out_orphans,
        writers: workshop.writers,
        room: workshop.room,
        undo_days: workshop.undo_days,
    };
    if operation.preview {
        let plan = Box::pin(in_place::plan(ctx, &workshop.store, &request)).await?;
        return Ok(columns(
            json!({ "plan": shown(&job.tenant, &plan), "warnings": plan.warnings }),
        ));
    }
    merge(
        ctx,
        workshop,
        job,
        held,
        &request,
        operation.safety_backup_id,
    )
    .await
}

/// A safety backup, the plan, the merge. The catalog hears of the backup before anything changes, and not at all
/// where the restore is refused or has nothing to do: then it is removed.
async fn merge(
    ctx: &Context,
    workshop: &Workshop,
    job: &Job,
    held: &Held,
    request: &RestoreRequest,
    promised: Option<Uuid>,
) -> Result<Map<String, Value>> {
    Box::pin(in_place::check(ctx, request)).await?;
    let safety = match promised {
        Some(id) => Some(safety(ctx, workshop, job, request, id).await?),
        None => None,
    };
    let id = safety.as_ref().map(|s| s.id);
    let prepared = match Box::pin(prepare(ctx, workshop, request, id)).await {
        Ok(prepared) => prepared,
        Err(refused) => {
            let comes_again = worth_a_retry(&refused) || refused.code == Code::Cancelled;
            settle(workshop, job, held, safety, comes_again).await?;
            return Err(refused);
        }
    };
    let plan = prepared.plan().clone();
    if !plan.is_empty() {
        record(held, safety.as_ref()).await?;
    }
    let done = Box::pin(prepared.apply(ctx)).await;
    if plan.is_empty() {
        // Live rows may have changed since the plan.
        let changed = done.as_ref().map_or(true, |o| o.undo_schema.is_some());
        settle(workshop, job, held, safety, changed).await?;
    }
    Ok(result(Some(shown(&job.tenant, &plan)), &done?))
}

async fn prepare(
    ctx: &Context,
    workshop: &Workshop,
    request: &RestoreRequest,
    safety: Option<Uuid>,
) -> Result<Prepared> {
    let prepared = in_place::prepare(ctx, &workshop.store, request, safety).await?;
    match prepared.plan().refuse_broken() {
        Ok(()) => Ok(prepared),
        Err(refused) => {
            prepared.discard().await?;
            Err(refused)
        }
    }
}

/// The backup before the restore: once per operation, whatever attempt this is.
async fn safety(
    ctx: &Context,
    workshop: &Workshop,
    job: &Job,
    request: &RestoreRequest,
    id: Uuid,
) -> Result<Manifest> {
    match backups::read(&workshop.store, &job.tenant.slug, id).await {
        Err(e) if e.code == Code::BackupNotFound => {
            keeper(workshop, job).take(ctx, request, Some(id)).await
        }
        found => found,
    }
}

/// Tells the catalog of a safety backup that is needed, and removes another. One that cannot be removed is told of, so
/// that people see it.
async fn settle(
    workshop: &Workshop,
    job: &Job,
    held: &Held,
    safety: Option<Manifest>,
    needed: bool,
) -> Result<()> {
    let Some(taken) = &safety else {
        return Ok(());
    };
    if needed {
        return record(held, safety.as_ref()).await;
    }
    match Box::pin(keeper(workshop, job).remove(taken.id)).await {
        Ok(()) => Ok(()),
        Err(error) => {
            tracing::warn!(backup = %taken.id, %error, "the safety backup was not removed");
            record(held, safety.as_ref()).await
        }
    }
}

fn keeper<'a>(workshop: &'a Workshop, job: &'a Job) -> Keeper<'a> {
    Keeper {
        store: &workshop.store,
        store_key: workshop.store_key.as_deref(),
        tenant: &job.tenant.slug,
        pg_dump: workshop.pg_dump.clone(),
    }
}

async fn record(held: &Held, safety: Option<&Manifest>) -> Result<()> {
    let Some(manifest) = safety else {
        return Ok(());
    };
    let fields = Value::Object(backup::fields(manifest));
    held.call("rovodev_record_safety_backup", json!({ "fields": fields }))
        .await?
        .ok_or_else(Error::cancelled)?;
    held.safety_told.store(true, Ordering::SeqCst);
    Ok(())
}

async fn undo(
    ctx: &Context,
    workshop: &Workshop,
    operation: &OperationRow,
    reversed: Uuid,
) -> Result<Map<String, Value>> {
    let request = UndoRequest {
        reverses: reversed,
        operation: Some(operation.id),
        dry_run: operation.preview,
        leave_changed: operation.leave_changed,
        undo_days: workshop.undo_days,
    };
    match in_place::undo(ctx, &workshop.source, request).await {
        Ok(undone) => Ok(result(None, &undone)),
        Err(e) if e.code == Code::OperationNotFound => Err(not_kept(operation.kept_until, e)),
        Err(e) => Err(e),
    }
}

/// That there is nothing to undo any more, where the catalog knows that there was.
fn not_kept(until: Option<DateTime<Utc>>, not_found: Error) -> Error {
    let Some(until) = until else {
        return not_found;
    };
    let kept = "what this restore changed was kept for its undo until";
    let date = until.format("%Y-%m-%d %H:%M UTC");
    match until <= Utc::now() {
        true => Error::new(Code::UndoExpired, format!("{kept} {date}"))
            .hint("Its safety backup may still be there, and can be restored."),
        false => {
            let dropped = format!("{kept} {date}, but was dropped before");
            Error::new(Code::OperationNotFound, dropped)
        }
    }
}

async fn done_before(workshop: &Workshop, id: Uuid) -> Result<Map<String, Value>> {
    let done = in_place::operations(&workshop.source)
        .await?
        .into_iter()
        .find(|o| o.id == id)
        .ok_or_else(|| Error::new(Code::OperationNotFound, "the restore's record is gone"))?;
    let warnings = in_place::refresh_after(&workshop.source, id).await?;
    Ok(columns(
        json!({ "undo_until": done.undo_until, "warnings": warnings, "result": {
        "rowsAdded": done.added, "rowsChanged": done.changed, "rowsRemoved": done.removed,
        "recordsRestored": done.added + done.changed, "undoable": true,
    } }),
    ))
}

/// The plan as members may read it: its target is an address, and one of its notes names servers and databases.
fn shown(tenant: &Tenant, plan: &Plan) -> Value {
    let mut shown = json!(plan);
    if let (true, Some(fields)) = (tenant.is_scoped(), shown.as_object_mut()) {
        let notes = plan.notes.iter().filter(|n| n.code != "another_source");
        fields.insert("notes".into(), json!(Vec::from_iter(notes)));
        fields.remove("target");
    }
    shown
}

fn result(plan: Option<Value>, outcome: &Outcome) -> Map<String, Value> {
    columns(json!({
        "plan": plan,
        "result": {
            "tablesRestored": outcome.tables, "rowsAdded": outcome.rows_added,
            "recordsRestored": outcome.rows_added + outcome.rows_changed,
            "rowsChanged": outcome.rows_changed, "rowsRemoved": outcome.rows_removed,
            "undoable": outcome.undo_schema.is_some(), "changes": outcome.changes,
        },
        "undo_until": outcome.undo_until,
        "warnings": outcome.warnings,
    }))
}

fn columns(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(columns) => columns,
        _ => Map::new(),
    }
}
