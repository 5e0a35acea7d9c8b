//! `restore --undo` through a catalog.

use super::Service;
use super::restore::{carried_out, outcome};
use crate::args::Common;
use crate::commands::restore::RestoreArgs;
use crate::commands::restore::undo::told;
use crate::exit::Exit;
use crate::output::{self, Answer};
use crate::{ask, human};
use rovodev::core::restore_plan::Mode;
use rovodev::error::{Code, Error, Result};
use rovodev::tasks::backups::{has_digits, short_id};
use rovodev::tasks::operators::{NewRestore, RestoreRow};
use serde_json::{Value, json};
use std::time::Instant;
use uuid::Uuid;

pub async fn run(
    service: &Service,
    operation: &str,
    args: &RestoreArgs,
    common: &Common,
) -> Result<Answer> {
    let restore = find(service, operation).await?;
    let backup = restore.backup_id.ok_or_else(|| not_found(operation))?;
    let what = described(&restore);
    if !args.dry_run && !args.force {
        confirm(&what, common)?;
    }
    let begun = Instant::now();
    let request = NewRestore {
        mode: Mode::Exact,
        schemas: Vec::new(),
        tables: Vec::new(),
        scope: None,
        force: false,
        leave_out_orphans: false,
        leave_changed: args.leave_changed,
        preview: args.dry_run,
        undo: Some(restore.id),
    };
    if let (Service::Deployment(deployment), false, false) = (service, args.wait, args.dry_run) {
        let operation = deployment.restore(backup, &request).await?;
        let asked =
            json!({ "undone": as_json(&restore), "dryRun": false, "operationId": operation });
        return Ok(Answer::new(
            &asked,
            format!(
                "Asked for the undo {} of {what}. Follow it with:  rovodev show {}",
                short_id(operation),
                short_id(backup)
            ),
            Exit::Done,
        ));
    }
    let row = carried_out(service, args, common, backup, &request).await?;
    let outcome = outcome(&row, backup);
    if !common.json {
        outcome
            .warnings
            .iter()
            .for_each(|w| output::warn(&w.message));
    }
    let report = json!({ "undone": as_json(&restore), "dryRun": args.dry_run, "outcome": outcome,
                         "seconds": begun.elapsed().as_secs_f64() });
    let took = human::seconds(begun.elapsed());
    let exit = Exit::with_warnings(!outcome.warnings.is_empty());
    Ok(Answer::new(
        &report,
        told(&called(&restore), &outcome, args.dry_run, &took),
        exit,
    ))
}

/// The restore that is meant: `latest` is the newest that changed rows, is no undo and is not undone.
async fn find(service: &Service, wanted: &str) -> Result<RestoreRow> {
    let all = service.restores().await?;
    if wanted == "latest" {
        let newest = all
            .into_iter()
            .find(|r| r.can_be_undone() && r.undo_of.is_none());
        return newest.ok_or_else(|| not_found(wanted));
    }
    let exact = Uuid::parse_str(wanted).ok();
    let mut fitting: Vec<RestoreRow> = all
        .into_iter()
        .filter(|r| exact.map_or(has_digits(r.id, wanted), |id| r.id == id))
        .collect();
    match (fitting.pop(), fitting.len()) {
        (None, _) => Err(not_found(wanted)),
        (Some(one), 0) => Ok(one),
        (Some(_), more) => Err(Error::new(
            Code::Usage,
            format!("{wanted:?} fits {} restores", more + 1),
        )
        .hint("Give more digits, or the whole id.")),
    }
}

fn not_found(operation: &str) -> Error {
    Error::new(
        Code::OperationNotFound,
        format!("the catalog has no restore {operation:?} that could be undone"),
    )
    .hint("`rovodev restore --list-undo`, beside the database, lists what is kept there.")
}

/// `restore of one (2025-12-22 14:30:00 UTC, 5605a37e)`
fn called(restore: &RestoreRow) -> String {
    let name = restore.backup_name.as_deref().unwrap_or("a backup");
    let at = restore.completed_at.map(human::exact).unwrap_or_default();
    let what = match restore.undo_of {
        None => "restore",
        Some(_) => "undo of a restore",
    };
    format!("{what} of {name} ({at}, {})", short_id(restore.id))
}

fn described(restore: &RestoreRow) -> String {
    format!(
        "the {}, which had {} added, {} changed, {} removed",
        called(restore),
        human::counted(restore.count("rowsAdded"), "row"),
        human::count(restore.count("rowsChanged")),
        human::count(restore.count("rowsRemoved"))
    )
}

/// As far as the catalog knows what a database tells of an operation.
fn as_json(restore: &RestoreRow) -> Value {
    json!({
        "id": restore.id, "backup": restore.backup_id, "backupName": restore.backup_name,
        "safety": restore.safety_backup_id, "reverses": restore.undo_of, "at": restore.completed_at,
        "added": restore.count("rowsAdded"), "changed": restore.count("rowsChanged"),
        "removed": restore.count("rowsRemoved"), "undoUntil": restore.undo_until,
    })
}

fn confirm(what: &str, common: &Common) -> Result<()> {
    if common.json || !ask::person_is_there() {
        return Err(Error::new(
            Code::ConfirmationNeeded,
            format!("undoing {what}, would change the database"),
        )
        .hint("See what it would do with --dry-run; say --force to undo without being asked."));
    }
    match ask::yes(&format!("Undo {what}?"))? {
        true => Ok(()),
        false => Err(Error::cancelled()),
    }
}
