//! Into another database.

use super::{Asked, plan};
use crate::exit::Exit;
use crate::output::{self, Answer};
use crate::{ask, human, progress};
use rovodev::error::{Error, Result};
use rovodev::tasks::restore::RestoreRequest;
use rovodev::tasks::restore::database;
use serde_json::json;
use std::time::Instant;

pub async fn run(asked: &Asked<'_>, request: &RestoreRequest) -> Result<Answer> {
    let planned = progress::shown(asked.style, async |ctx| {
        Box::pin(database::plan(ctx, asked.store, request)).await
    })
    .await?;
    if asked.dry_run {
        let text = format!(
            "{}\n\nA dry run: nothing was changed.",
            plan::text(&planned)
        );
        let report = json!({ "plan": planned, "dryRun": true });
        return Ok(Answer::new(&report, text, Exit::Done));
    }
    if !asked.json {
        output::tell(&format!("{}\n", plan::text(&planned)));
    }
    if asked.person() && !ask::yes("Restore?")? {
        return Err(Error::cancelled());
    }
    let begun = Instant::now();
    let outcome = progress::shown(asked.style, async |ctx| {
        Box::pin(database::apply(ctx, asked.store, request, &planned)).await
    })
    .await?;
    if !asked.json {
        let new = outcome
            .warnings
            .iter()
            .filter(|w| !planned.warnings.contains(w));
        new.for_each(|w| output::warn(&w.message));
    }
    let text = format!(
        "{}: {} in {} restored into {} in {}.",
        planned.backup_name,
        human::counted(outcome.rows_added, "row"),
        human::counted(outcome.tables, "table"),
        planned.target,
        human::seconds(begun.elapsed()),
    );
    let report = json!({ "plan": planned, "dryRun": false, "outcome": outcome,
                         "seconds": begun.elapsed().as_secs_f64() });
    Ok(Answer::new(
        &report,
        text,
        Exit::with_warnings(!outcome.warnings.is_empty()),
    ))
}
