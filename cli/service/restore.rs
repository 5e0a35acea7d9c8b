//! `restore` in place through a catalog: a preview, the question, then the restore itself.

use super::find::{choose, find};
use super::{Service, undo};
use crate::args::Common;
use crate::commands::restore::{DEFAULT_MODE, RestoreArgs, in_place, input, plan};
use crate::exit::Exit;
use crate::output::{self, Answer};
use crate::{ask, human, remote};
use rovodev::core::restore_plan::{Outcome, Plan};
use rovodev::error::{Code, Error, Result};
use rovodev::tasks::backups::short_id;
use rovodev::tasks::operators::{NewRestore, RestoreRow};
use serde_json::{Value, json};
use std::time::Instant;
use uuid::Uuid;

pub async fn run(service: &Service, args: RestoreArgs, common: &Common) -> Result<Answer> {
    args.refuse_contradictions()?;
    if let Service::Deployment(_) = service {
        refuse_remotely(&args)?;
    }
    if let Some(operation) = &args.undo {
        return undo::run(service, operation, &args, common).await;
    }
    let person = !common.json && !args.force && ask::person_is_there();
    if !args.dry_run && !args.force && !person {
        return Err(Error::new(
            Code::ConfirmationNeeded,
            "the database would be overwritten and nobody is here to confirm it",
        )
        .hint("See the plan with --dry-run; say --force to restore without being asked."));
    }
    let backup = match &args.input {
        Some(what) => {
            let found = find(service, what, Some("database")).await;
            input::beside_a_folder(Some(what), found)?
        }
        None if person => choose(service).await?,
        None => {
            return Err(
                Error::new(Code::Usage, "which backup to restore is not said").hint(
                    "Name one by --input: latest, a name, or an id; `rovodev list` shows them.",
                ),
            );
        }
    };
    let mut request = request(&args);
    let (begun, id) = (Instant::now(), backup.id);
    let mut plan = planned(service, &args, common, id, &request).await?;
    if args.dry_run {
        return Ok(dry(&plan, args.mode().is_some(), begun));
    }
    if !common.json {
        output::tell(&format!("{}\n", plan::text(&plan)));
    }
    if args.mode().is_none() && person {
        let mode = in_place::ask_mode(&plan)?;
        if mode != request.mode {
            request.mode = mode;
            plan = planned(service, &args, common, id, &request).await?;
            output::tell(&format!("{}\n", plan::text(&plan)));
        }
    }
    plan.refuse_broken()?;
    in_place::confirm(args.force, &plan)?;
    restored(service, &args, common, &plan, &request, begun).await
}

fn refuse_remotely(args: &RestoreArgs) -> Result<()> {
    remote::refuse(&[
        (
            args.target_url.is_some(),
            "--target-url",
            "a deployment restores in place",
        ),
        (
            args.list_undo,
            "--list-undo",
            "it reads the database itself",
        ),
        (
            args.forget.is_some(),
            "--forget",
            "it changes the database itself",
        ),
        (
            args.database_url.is_some(),
            "--database-url",
            "the deployment has its own database",
        ),
        (
            args.scope.is_some(),
            "--scope",
            "a tenant's scope is set in the catalog",
        ),
        (
            args.wants_files(),
            "--component config",
            "files come with a download in the dashboard",
        ),
        (
            args.room.is_some(),
            "--room",
            "the deployment measures it by itself",
        ),
        (
            args.even_read_only,
            "--even-read-only",
            "whether its database takes writes is the deployment's matter",
        ),
        (
            args.names_a_store(),
            "--input with a place",
            "the deployment has its own store",
        ),
    ])
}

fn request(args: &RestoreArgs) -> NewRestore {
    NewRestore {
        mode: args.mode().unwrap_or(DEFAULT_MODE),
        schemas: args.schemas.clone(),
        tables: args.tables.clone(),
        scope: args.scope.clone(),
        force: args.force,
        leave_out_orphans: args.leave_out_orphans,
        leave_changed: false,
        preview: false,
        undo: None,
    }
}

/// What a restore would do.
async fn planned(
    service: &Service,
    args: &RestoreArgs,
    common: &Common,
    backup: Uuid,
    request: &NewRestore,
) -> Result<Plan> {
    let preview = NewRestore {
        preview: true,
        ..request.clone()
    };
    let row = carried_out(service, args, common, backup, &preview).await?;
    let mut plan = row.plan.unwrap_or(Value::Null);
    if let Some(plan) = plan.as_object_mut() {
        // A tenant with a scope is not told where its rows are.
        plan.entry("target").or_insert("the app's database".into());
    }
    serde_json::from_value(plan).map_err(|e| {
        Error::new(Code::ServiceError, "the preview's plan cannot be read")
            .hint("Are the command line and the deployment of the same version?")
            .source(e)
    })
}

/// Asks for a restore, a preview or an undo, and waits for its end.
pub(super) async fn carried_out(
    service: &Service,
    args: &RestoreArgs,
    common: &Common,
    backup: Uuid,
    request: &NewRestore,
) -> Result<RestoreRow> {
    match service {
        Service::Catalog(workplace) => {
            let mut workshop = workplace.workshop.clone();
            workshop.writers = usize::try_from(args.writers).unwrap_or(workshop.writers);
            workshop.room = args.room;
            workplace.restored(&workshop, common, backup, request).await
        }
        Service::Deployment(deployment) => {
            let ask = async { Ok((backup, Some(deployment.restore(backup, request).await?))) };
            let (_, told) = deployment.watch(common, ask).await?;
            serde_json::from_value(told).map_err(|e| {
                Error::new(Code::ServiceError, "the deployment's answer cannot be read").source(e)
            })
        }
    }
}

fn dry(plan: &Plan, mode_said: bool, begun: Instant) -> Answer {
    let report = json!({ "plan": plan, "dryRun": true, "seconds": begun.elapsed().as_secs_f64() });
    let text = plan::dry_text(plan, mode_said);
    let exit = match plan.broken_references.is_empty() {
        true => Exit::Done,
        false => Exit::Refused,
    };
    Answer::new(&report, text, exit)
}

async fn restored(
    service: &Service,
    args: &RestoreArgs,
    common: &Common,
    plan: &Plan,
    request: &NewRestore,
    begun: Instant,
) -> Result<Answer> {
    if let (Service::Deployment(deployment), false) = (service, args.wait) {
        let operation = deployment.restore(plan.backup, request).await?;
        let text = format!(
            "Asked for the restore {} of {}. Follow it with:  rovodev show {}",
            short_id(operation),
            plan.backup_name,
            short_id(plan.backup)
        );
        let asked = json!({ "plan": plan, "dryRun": false, "operationId": operation });
        return Ok(Answer::new(&asked, text, Exit::Done));
    }
    let row = carried_out(service, args, common, plan.backup, request).await?;
    let outcome = outcome(&row, plan.backup);
    if !common.json {
        let new = outcome
            .warnings
            .iter()
            .filter(|w| !plan.warnings.contains(w));
        new.for_each(|w| output::warn(&w.message));
    }
    let took = human::seconds(begun.elapsed());
    let mut text = format!("{}: {} in {took}.", plan.backup_name, plan::done(&outcome));
    let safety = match row
        .safety_backup_id
        .filter(|_| outcome.undo_schema.is_some())
    {
        // Its row is there as long as nobody deletes it.
        Some(id) => service.backup(id).await.ok(),
        None => None,
    };
    if let Some(safety) = &safety {
        text += &format!("\nSafety backup: {}", safety.name);
    }
    text += &plan::undo_with("Can", &outcome);
    let report = json!({
        "plan": plan, "dryRun": false, "safetyBackup": safety.as_ref().map(super::summary::json),
        "outcome": outcome, "seconds": begun.elapsed().as_secs_f64(),
    });
    let exit = Exit::with_warnings(!outcome.warnings.is_empty());
    Ok(Answer::new(&report, text, exit))
}

/// What a restore or an undo did, by the catalog.
pub(super) fn outcome(row: &RestoreRow, backup: Uuid) -> Outcome {
    let undoable = row.result["undoable"].as_bool().unwrap_or(false);
    Outcome {
        operation: row.id,
        backup,
        tables: row.count("tablesRestored"),
        rows_added: row.count("rowsAdded"),
        rows_changed: row.count("rowsChanged"),
        rows_removed: row.count("rowsRemoved"),
        undo_schema: undoable.then(|| format!("undo_{}", row.id.simple())),
        undo_until: row.undo_until.filter(|_| undoable),
        changes: serde_json::from_value(row.result["changes"].clone()).unwrap_or_default(),
        warnings: row.warnings.clone(),
    }
}
