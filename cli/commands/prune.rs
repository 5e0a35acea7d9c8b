use crate::args::Common;
use crate::exit::Exit;
use crate::human;
use crate::output::{self, Answer};
use crate::progress::{self, Style};
use clap::Args;
use rovodev::config::{self, Settings};
use rovodev::error::Result;
use rovodev::tasks::prune::{self, PrunePlan};
use rovodev::tasks::restore::in_place;
use rovodev::tasks::{Clock, places};
use serde_json::json;
use uuid::Uuid;

/// Delete stored rows that no backup uses
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev prune --dry-run
  rovodev prune

Touches no backup: only what deleted or interrupted backups left behind, once
it is older than 24 hours; and in the database of DATABASE_URL what restores
kept for an undo until a date that passed. Refuses to run beside a backup, and
to delete an implausible share of the store without --force.

{}", crate::exit::help()))]
pub struct PruneArgs {
    /// Show what would go, and stop
    #[arg(long)]
    dry_run: bool,
    /// Delete even more than half of what is stored
    #[arg(long)]
    force: bool,
}

pub async fn run(args: PruneArgs, common: &Common, settings: &Settings) -> Result<Answer> {
    let store = places::store(settings)?;
    let style = Style::choose(common.json, common.progress);
    let plan = progress::shown(style, async |ctx| {
        super::readable(ctx, settings, &store).await?;
        prune::prune(ctx, &store, &Clock::default(), args.dry_run, args.force).await
    })
    .await?;
    let expired = match settings.get(&config::DATABASE_URL) {
        Some(_) if !args.dry_run => drop_expired(settings).await,
        _ => Vec::new(),
    };
    let result = json!({ "dryRun": args.dry_run, "bytes": plan.bytes(), "plan": plan,
                         "undosDropped": expired });
    let mut text = text(&plan, args.dry_run);
    if !expired.is_empty() {
        let restores = human::counted(expired.len() as u64, "restore");
        text += &format!(
            "\nDropped from the database what {restores} kept for an undo until a date that passed."
        );
    }
    Ok(Answer::new(&result, text, Exit::Done))
}

/// What restores kept in the database for longer than they promised. The store is pruned also where nobody answers there.
async fn drop_expired(settings: &Settings) -> Vec<Uuid> {
    let dropped = async { in_place::drop_expired(&places::source(settings)?).await };
    dropped.await.unwrap_or_else(|e| {
        output::note(&format!(
            "what restores keep in the database was not looked at: {e}"
        ));
        Vec::new()
    })
}

fn text(plan: &PrunePlan, dry_run: bool) -> String {
    let objects = human::counted(
        (plan.segments.len() + plan.leftovers.len()) as u64,
        "object",
    );
    let verb = if dry_run {
        "would be deleted"
    } else {
        "deleted"
    };
    let young = match plan.young_segments {
        0 => String::new(),
        n => format!(
            "\n{} unused but younger than 24 hours: kept for now.",
            human::counted(n, "segment")
        ),
    };
    format!(
        "{objects} ({}) {verb}; {} in use by {}.{young}",
        human::bytes(plan.bytes()),
        human::counted(plan.used_segments, "segment"),
        human::counted(plan.backups, "backup")
    )
}
