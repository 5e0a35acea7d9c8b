use crate::args::Common;
use crate::exit::Exit;
use crate::output::{self, Answer};
use crate::progress::{self, Style};
use crate::{ask, human};
use clap::Args;
use rovodev::config::Settings;
use rovodev::core::manifest::Manifest;
use rovodev::error::{Code, Error, Result};
use rovodev::tasks::backups::{self, Wanted};
use rovodev::tasks::delete::{self, Deleted};
use rovodev::tasks::{Clock, Context, places};
use serde_json::json;
use uuid::Uuid;

/// Delete backups, and what they alone used
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev delete backup_2025-12-22_14-30-00
  rovodev delete 0197c5b2 0197c6d4 --force

Deletes the backups at once, then the stored rows that no other backup uses
(those younger than 24 hours stay for `rovodev prune`). Cannot be undone. Asks
on a terminal, needs --force elsewhere. If it was interrupted, the same
command finishes it.

{}", crate::exit::help()))]
pub struct DeleteArgs {
    /// Names, or ids (or their first or last digits)
    #[arg(value_name = "BACKUP", required = true)]
    pub backups: Vec<String>,
    /// Do not ask
    #[arg(long)]
    force: bool,
}

pub async fn run(args: DeleteArgs, common: &Common, settings: &Settings) -> Result<Answer> {
    let (store, tenant) = (places::store(settings)?, super::tenant(settings)?);
    super::readable(&Context::default(), settings, &store).await?;
    let mut chosen: Vec<(Uuid, String)> = Vec::new();
    for wanted in &args.backups {
        let one = match super::named(&store, tenant, wanted, Wanted::Anything).await {
            Ok(manifest) => (manifest.id, called(&manifest)),
            // An id may name a deletion that was interrupted, or a manifest that is damaged.
            Err(e) if e.code == Code::Usage => return Err(e),
            Err(e) => match backups::id_of(&store, tenant, wanted).await {
                Ok(id) => (id, wanted.clone()),
                Err(_) => return Err(e),
            },
        };
        if !chosen.contains(&one) {
            chosen.push(one);
        }
    }
    let names: Vec<_> = chosen.iter().map(|(_, name)| name.as_str()).collect();
    let what = names.join(", ");
    confirm(&what, &args, common)?;
    let ids: Vec<_> = chosen.iter().map(|(id, _)| *id).collect();
    let style = Style::choose(common.json, common.progress);
    let deleted = progress::shown(style, async |ctx| {
        delete::delete(ctx, &store, tenant, &ids, &Clock::default(), false).await
    })
    .await?;
    let mut answer = answer(&deleted, &what);
    answer.json["names"] = json!(names);
    Ok(answer)
}

/// `before-migration (5605a37e, 2025-12-22 14:30:00 UTC)`: names may be equal, and `latest` is none.
fn called(manifest: &Manifest) -> String {
    let taken = human::exact(manifest.finished_at);
    format!(
        "{} ({}, {taken})",
        manifest.name,
        backups::short_id(manifest.id)
    )
}

pub fn confirm(what: &str, args: &DeleteArgs, common: &Common) -> Result<()> {
    if args.force {
        if !common.json {
            output::tell(&format!("Deleting {what} for good."));
        }
        return Ok(());
    }
    if common.json || !ask::person_is_there() {
        return Err(Error::new(
            Code::ConfirmationNeeded,
            format!("{what} would be deleted for good"),
        )
        .hint("Say --force to delete without being asked."));
    }
    match ask::yes(&format!("Delete {what} for good?"))? {
        true => Ok(()),
        false => Err(Error::cancelled()),
    }
}

fn answer(deleted: &Deleted, what: &str) -> Answer {
    let (pruned, text, warned) = match &deleted.pruned {
        Ok(plan) => (
            json!({ "segments": plan.segments.len(), "bytes": plan.bytes() }),
            format!(
                "Deleted {what}, {} freed.\nRows that other backups use stay; rows stored less than 24 hours ago are \
                 freed by a later `rovodev prune`.",
                human::bytes(plan.bytes())
            ),
            false,
        ),
        Err(e) => (
            json!({ "error": e }),
            format!("Deleted {what}. What they alone used is still there: {e}"),
            true,
        ),
    };
    let result = json!({ "deleted": deleted.ids, "pruned": pruned });
    Answer::new(&result, text, Exit::with_warnings(warned))
}
