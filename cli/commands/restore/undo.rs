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
use rovodev::tasks::places;
use rovodev::tasks::restore::in_place::{self, Operation};
use serde_json::json;
use std::time::Instant;

pub async fn run(
    operation: &str,
    args: &RestoreArgs,
    common: &Common,
    settings: &Settings,
    style: Style,
) -> Result<Answer> {
    let target = places::source(settings)?;
    let operation = in_place::find_operation(&target, operation).await?;
    if !args.dry_run && !args.force {
        confirm(&target, &operation, common)?;
    }
    let begun = Instant::now();
    let outcome = progress::shown(style, async |ctx| match args.leave_changed {
        true => in_place::undo_unchanged(ctx, &target, operation.id, args.dry_run).await,
        false => in_place::undo(ctx, &target, operation.id, args.dry_run).await,
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
        "the restore of {} ({}): {} added, {} changed, {} removed",
        operation.backup_name,
        human::exact(operation.at),
        human::counted(operation.added, "row"),
        human::count(operation.changed),
        human::count(operation.removed)
    );
    if common.json || !ask::person_is_there() {
        return Err(Error::new(
            Code::ConfirmationNeeded,
            format!("undoing {what} changes {target}"),
        )
        .hint("See what it would do with --dry-run; say --force to undo without being asked."));
    }
    match ask::yes(&format!("Undo {what}?"))? {
        true => Ok(()),
        false => Err(Error::cancelled()),
    }
}

fn text(operation: &Operation, outcome: &Outcome, dry_run: bool, took: &str) -> String {
    let what = format!("restore of {}", operation.backup_name);
    if dry_run {
        return format!(
            "Undoing the {what} would be: {}.\nA dry run: nothing was changed.",
            plan::done(outcome)
        );
    }
    let mut text = format!("The {what} is undone: {} in {took}.", plan::done(outcome));
    if outcome.undo_schema.is_some() {
        text += &format!(
            "\nUndo the undo with:  rovodev restore --undo {}",
            outcome.operation
        );
    }
    text
}
