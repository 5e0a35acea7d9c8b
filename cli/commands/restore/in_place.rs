//! In place: a safety backup, a plan, a yes, the merge.

use super::{Asked, DEFAULT_MODE, plan, safety};
use crate::exit::Exit;
use crate::output::{self, Answer};
use crate::progress;
use crate::{ask, human};
use rovodev::core::restore_plan::{Mode, Outcome, Plan};
use rovodev::error::{Code, Error, Result};
use rovodev::tasks::backups::Summary;
use rovodev::tasks::restore::RestoreRequest;
use rovodev::tasks::restore::in_place::{self, Prepared};
use serde::Serialize;
use std::time::Instant;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    plan: &'a Plan,
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_backup: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'a Outcome>,
    seconds: f64,
}

pub(super) async fn run(asked: &Asked<'_>, request: &RestoreRequest) -> Result<Answer> {
    if !asked.dry_run && !asked.force && !asked.person() {
        return Err(Error::new(
            Code::ConfirmationNeeded,
            format!(
                "{} would be overwritten and nobody is here to confirm it",
                request.target
            ),
        )
        .hint("See the plan with --dry-run; say --force to restore without being asked."));
    }
    if asked.dry_run {
        return dry_run(asked, request).await;
    }
    let begun = Instant::now();
    let (safety, prepared) = progress::shown(asked.style, async |ctx| {
        Box::pin(in_place::check(ctx, request)).await?;
        let keeper = safety::keeper(asked);
        let safety = Summary::of(&Box::pin(keeper.take(ctx, request, None)).await?);
        let prepared = in_place::prepare(ctx, asked.store, request, Some(safety.id));
        match Box::pin(prepared).await {
            Ok(prepared) => Ok((safety, prepared)),
            Err(e) => Err(safety::without_need(asked, &safety, e).await),
        }
    })
    .await?;
    if !asked.json {
        output::tell(&format!("{}\n", plan::text(prepared.plan())));
    }
    let prepared = in_chosen_mode(asked, request, prepared, &safety).await?;
    let planned = prepared.plan().clone();
    let go_on = planned
        .refuse_broken()
        .map_err(|e| told_once(asked, &planned, e))
        .and_then(|()| confirm(asked.force, &planned));
    if let Err(refused) = go_on {
        return Err(given_up(asked, prepared, &safety, refused).await);
    }
    let outcome =
        progress::shown(asked.style, async |ctx| Box::pin(prepared.apply(ctx)).await).await;
    let outcome = outcome.map_err(|e| safety::stays(e, &safety))?;
    let seconds = begun.elapsed();
    if !asked.json {
        let new = outcome
            .warnings
            .iter()
            .filter(|w| !planned.warnings.contains(w));
        new.for_each(|w| output::warn(&w.message));
    }
    let mut text = match outcome.undo_schema.is_some() {
        true => format!(
            "{}: {} in {}.",
            planned.backup_name,
            plan::done(&outcome),
            human::seconds(seconds)
        ),
        false => format!("{}: there was nothing to change.", planned.backup_name),
    };
    let safety = match outcome.undo_schema.is_some() {
        true => Some(safety),
        false => safety::unless_removed(asked, safety).await,
    };
    if let Some(safety) = &safety {
        text += &format!("\nSafety backup: {}", safety.name);
    }
    text += &plan::undo_with("Can", &outcome);
    let report = Report {
        plan: &planned,
        dry_run: false,
        safety_backup: safety,
        outcome: Some(&outcome),
        seconds: seconds.as_secs_f64(),
    };
    Ok(Answer::new(
        &report,
        text,
        Exit::with_warnings(!outcome.warnings.is_empty()),
    ))
}

async fn dry_run(asked: &Asked<'_>, request: &RestoreRequest) -> Result<Answer> {
    let begun = Instant::now();
    let planned = progress::shown(asked.style, async |ctx| {
        Box::pin(in_place::plan(ctx, asked.store, request)).await
    })
    .await?;
    let report = Report {
        plan: &planned,
        dry_run: true,
        safety_backup: None,
        outcome: None,
        seconds: begun.elapsed().as_secs_f64(),
    };
    let text = plan::dry_text(&planned, asked.mode_said);
    let exit = match planned.broken_references.is_empty() {
        true => Exit::Done,
        false => Exit::Refused,
    };
    Ok(Answer::new(&report, text, exit))
}

/// How far it goes, asked for where the plan tells that it matters. What comes back only, comes back in every mode.
pub fn ask_mode(plan: &Plan) -> Result<Mode> {
    if !plan::modes_differ(plan) {
        return Ok(DEFAULT_MODE);
    }
    let modes = plan::modes(plan);
    let items = modes.each_ref().map(|(_, told)| told.clone());
    let chosen = ask::choose("How far? (Enter: the plan above)", &items, Some(0))?;
    Ok(modes[chosen].0)
}

/// The same restore, or where a person chooses another mode that one with its own plan.
async fn in_chosen_mode(
    asked: &Asked<'_>,
    request: &RestoreRequest,
    prepared: Prepared,
    safety: &Summary,
) -> Result<Prepared> {
    if asked.mode_said || !asked.person() {
        return Ok(prepared);
    }
    let mode = match ask_mode(prepared.plan()) {
        Ok(mode) if mode == request.mode => return Ok(prepared),
        Ok(mode) => mode,
        Err(stopped) => return Err(given_up(asked, prepared, safety, stopped).await),
    };
    drop_staged(prepared).await;
    let request = RestoreRequest {
        mode,
        ..request.clone()
    };
    let again = progress::shown(asked.style, async |ctx| {
        Box::pin(in_place::prepare(
            ctx,
            asked.store,
            &request,
            Some(safety.id),
        ))
        .await
    })
    .await;
    match again {
        Ok(prepared) => {
            output::tell(&format!("{}\n", plan::text(prepared.plan())));
            Ok(prepared)
        }
        Err(e) => Err(safety::without_need(asked, safety, e).await),
    }
}

/// The plan that people have before them names the rows and what to do; their keys are long enough once.
fn told_once(asked: &Asked<'_>, plan: &Plan, refused: Error) -> Error {
    if asked.json {
        return refused;
    }
    let rows = plan.broken_references.iter().map(|b| b.rows).sum();
    Error::new(
        refused.code,
        format!(
            "{} would be left without the rows to which they refer; nothing was changed",
            human::counted(rows, "row")
        ),
    )
    .hint("The plan above names them, and says what to do.")
}

/// No question where nothing changes; the backup's name where rows go.
pub fn confirm(force: bool, plan: &Plan) -> Result<()> {
    if force || plan.is_empty() {
        return Ok(());
    }
    let confirmed = if plan.remove() > 0 {
        let rows = human::counted(plan.remove(), "row");
        ask::types(
            &format!("{rows} will be removed. Type the backup's name to go on"),
            &plan.backup_name,
        )?
    } else {
        ask::yes("Restore?")?
    };
    if confirmed {
        Ok(())
    } else {
        Err(Error::cancelled())
    }
}

async fn given_up(
    asked: &Asked<'_>,
    prepared: Prepared,
    safety: &Summary,
    refused: Error,
) -> Error {
    drop_staged(prepared).await;
    safety::without_need(asked, safety, refused).await
}

async fn drop_staged(prepared: Prepared) {
    if let Err(e) = prepared.discard().await {
        output::warn(&format!("staged rows could not be dropped: {e}"));
    }
}
