//! Restore into another database: definitions, rows without indexes, indexes, keys, and the rest.
//!
//! It is no single transaction: a marker schema `rovodev_restore_<operation>` stands from the first write to the
//! last, and a database that holds it is not to be used. Whatever stops the work, a target that was empty is
//! emptied again; a killed one keeps its marker, and the next restore says so.

mod checks;
mod clear;
mod content;
mod dropped;
mod finish;
mod foreign_keys;
mod missed;
mod outside;
mod platform;
mod post_data;
mod pre_data;
mod publications;
mod recover;
mod roles;
mod rows;
mod steps;
mod target;
mod verify;
mod work;
mod writers;

use crate::core::ddl::{Entry, Kind};
use crate::core::manifest::Warning;
use crate::core::progress::Stage;
use crate::core::restore_plan::{Outcome, Plan, TablePlan};
use crate::error::Result;
use crate::ports::store::Store;
use crate::tasks::Context;
use crate::tasks::restore::RestoreRequest;
use crate::tasks::segments::explained;
use content::Content;
use target::{Target, UserSchema};
use uuid::Uuid;

/// Heap, indexes and WAL of restored rows need at most about this many times their COPY text.
const ROOM_FACTOR: u64 = 3;
/// Bytes of COPY text that a small server takes in a second, indexes included; for the estimate alone.
const BYTES_PER_SECOND: u64 = 20 << 20;

/// What would be written. Changes nothing in the target.
pub async fn plan(ctx: &Context, store: &Store, request: &RestoreRequest) -> Result<Plan> {
    let ready = look(ctx, store, request).await?;
    ctx.progress.stage(Stage::Plan, 0);
    Ok(told(request, ready))
}

/// Both sides, read and found to fit.
struct Ready<'a> {
    content: Content<'a>,
    target: Target,
    /// To be known beforehand.
    warnings: Vec<Warning>,
    /// What the app will miss; told at the end too.
    left_out: Vec<Warning>,
    notes: Vec<Warning>,
}

async fn look<'a>(ctx: &Context, store: &Store, request: &'a RestoreRequest) -> Result<Ready<'a>> {
    ctx.progress.stage(Stage::Connect, 0);
    let mut target = ctx.or_cancelled(Target::inspect(&request.target)).await?;
    target.require_writes(&request.target).await?;
    target.lock().await?;
    let loaded = ctx.or_cancelled(Content::load(store, request)).await;
    let unharmed = Some("the target was not changed");
    let content = loaded.map_err(|e| explained(e, &request.backup, unharmed))?;
    // Another restore may have ended while this one waited for the lock.
    target.look().await?;
    let mut ready = Ready {
        warnings: checks::check(&content, &target, request).await?,
        content,
        target,
        left_out: Vec::new(),
        notes: Vec::new(),
    };
    let unfit = platform::look(&mut ready.content, &ready.target).await?;
    ready.left_out.extend(unfit);
    if ready.content.has_definitions() {
        missed::look(&mut ready, request).await?;
    }
    Ok(ready)
}

fn told(request: &RestoreRequest, ready: Ready<'_>) -> Plan {
    let Ready {
        content, target, ..
    } = &ready;
    let tables = content.with_platform().map(|table| TablePlan {
        table: table.name.clone(),
        rows_in_backup: table.rows,
        add: table.rows,
        change: 0,
        remove: 0,
        removed_between: None,
    });
    let is_object = |e: &&Entry| !matches!(e.kind, Kind::Acl | Kind::DefaultAcl | Kind::Comment);
    let objects = content
        .pre_data
        .iter()
        .chain(&content.post_data)
        .filter(is_object);
    let dropped = to_drop(target, content);
    Plan {
        operation: Uuid::now_v7(),
        backup: content.backup.id,
        backup_name: content.backup.name.clone(),
        backup_taken_at: content.backup.started_at,
        target: request.target.to_string(),
        mode: None,
        tables: tables.collect(),
        objects_to_create: objects.count() as u64,
        scope: None,
        broken_references: Vec::new(),
        schemas_to_drop: dropped.into_iter().map(|s| (s.name, s.rows)).collect(),
        locks: Vec::new(),
        bytes_needed: bytes_needed(content),
        bytes_free: request.room,
        estimated_seconds: content.raw_bytes().div_ceil(BYTES_PER_SECOND),
        undo_days: None,
        warnings: [ready.left_out, ready.warnings].concat(),
        notes: ready.notes,
    }
}

/// Schemas that make way: rows alone go into tables that are there.
fn to_drop(target: &Target, content: &Content<'_>) -> Vec<UserSchema> {
    match content.has_definitions() {
        true => target.to_drop(content),
        false => Vec::new(),
    }
}

fn bytes_needed(content: &Content<'_>) -> u64 {
    content.raw_bytes() * ROOM_FACTOR
}

/// Does what was planned. Opens at most one connection more than `request.writers`.
pub async fn apply(
    ctx: &Context,
    store: &Store,
    request: &RestoreRequest,
    plan: &Plan,
) -> Result<Outcome> {
    let Ready {
        content,
        target,
        left_out,
        ..
    } = look(ctx, store, request).await?;
    // What an unfinished restore left is no loss, and an empty target has nothing to lose.
    if target.markers.is_empty() && !to_drop(&target, &content).is_empty() {
        verify::segments(ctx, store, &content).await?;
    }
    let undo = recover::Recovery::prepare(&target, &content, plan).await?;
    let work = work::Work {
        ctx,
        store,
        request,
        content: &content,
        target: &target,
    };
    let done = work.run(&undo.marker).await;
    // Its session lets go of the lock, for whoever cleans up.
    drop(target);
    match done {
        Ok((rows, warnings)) => Ok(Outcome {
            operation: plan.operation,
            backup: plan.backup,
            tables: content.with_platform().count() as u64,
            changes: Vec::new(),
            rows_added: rows,
            rows_changed: 0,
            rows_removed: 0,
            undo_schema: None,
            undo_until: None,
            warnings: [left_out, warnings].concat(),
        }),
        Err(error) => {
            let error = explained(error, &request.backup, None);
            Err(undo.after(error, request).await)
        }
    }
}
