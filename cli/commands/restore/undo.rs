//! Reversing a restore in place.

use super::{RestoreArgs, plan};
use crate::args::Common;
use crate::exit::Exit;
use crate::output::{self, Answer};
use crate::progress::{self, Style};
use crate::{ask, human};
use rovodev::config::Settings;
use rovodev::core::restore_plan::Outcome;
use rovodev::error::{Code, Error, Result};
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::tasks::backups::short_id;
use rovodev::tasks::places;
use rovodev::tasks::restore::in_place::{self, Operation, UndoRequest};
use rovodev::tasks::restore::undo_days;
use serde_json::json;
use std::time::Instant;

pub async fn run(
    operation: &str,
    args: &RestoreArgs,
    common: &Common,
    settings: &Settings,
    style: Style,
) -> Result<Answer> {
    let target = args.insist(places::source(settings)?);
    let operation = in_place::find_operation(&target, operation).await?;
    if !args.dry_run && !args.force {
        confirm(&target, &operation, common)?;
    }
    let begun = Instant::now();
    let request = UndoRequest {
        dry_run: args.dry_run,
        leave_changed: args.leave_changed,
        undo_days: undo_days(settings)?,
        ..UndoRequest::of(operation.id)
    };
    let outcome = progress::shown(style, async |ctx| {
        in_place::undo(ctx, &target, request).await
    })
    .await?;
    if !common.json {
        outcome
            .warnings
            .iter()
            .for_each(|w| output::warn(&w.message));
    }
    let report = json!({ "undone": operation, "dryRun": args.dry_run, "outcome": outcome,
                         "seconds": begun.elapsed().as_secs_f64() });
    let exit = Exit::with_warnings(!outcome.warnings.is_empty());
    let took = human::seconds(begun.elapsed());
    Ok(Answer::new(
        &report,
        text(&operation, &outcome, args.dry_run, &took),
        exit,
    ))
}

fn confirm(target: &DatabaseUrl, operation: &Operation, common: &Common) -> Result<()> {
    let what = format!(
        "the {}, which had {} added, {} changed, {} removed",
        called(operation),
        human::counted(operation.added, "row"),
        human::count(operation.changed),
        human::count(operation.removed)
    );
    if common.json || !ask::person_is_there() {
        return Err(Error::new(
            Code::ConfirmationNeeded,
            format!("undoing {what}, would change {target}"),
        )
        .hint("See what it would do with --dry-run; say --force to undo without being asked."));
    }
    match ask::yes(&format!("Undo {what}?"))? {
        true => Ok(()),
        false => Err(Error::cancelled()),
    }
}

fn text(operation: &Operation, outcome: &Outcome, dry_run: bool, took: &str) -> String {
    told(&called(operation), outcome, dry_run, took)
}

/// `restore of one (2025-12-22 14:30:00 UTC, 5605a37e)`
fn called(operation: &Operation) -> String {
    let at = human::exact(operation.at);
    let (id, name) = (short_id(operation.id), &operation.backup_name);
    match operation.reverses {
        None => format!("restore of {name} ({at}, {id})"),
        Some(_) => format!("undo of a restore of {name} ({at}, {id})"),
    }
}

/// What undoing `what` did, or would do.
pub fn told(what: &str, outcome: &Outcome, dry_run: bool, took: &str) -> String {
    let done = plan::done(outcome);
    let tables = match outcome.changes.is_empty() {
        true => String::new(),
        false => format!("\n\n{}\n", plan::changes(outcome)),
    };
    if dry_run {
        return format!(
            "Undoing the {what} would be: {done}.{tables}\nA dry run: nothing was changed."
        );
    }
    let mut text = format!("The {what} is undone: {done} in {took}.{tables}");
    text += &plan::undo_with("The undo can", outcome);
    text
}
