//! The safety backup of a restore in place: taken before it, and removed where it was for nothing.

use super::super::TENANT;
use super::Asked;
use crate::output;
use rovodev::core::manifest::{BackupType, Manifest, Selection, Trigger};
use rovodev::error::{Error, Result};
use rovodev::tasks::backups::Summary;
use rovodev::tasks::create::{self, CreateRequest};
use rovodev::tasks::restore::RestoreRequest;
use rovodev::tasks::{Clock, Context, delete, open_store};
use std::path::PathBuf;

/// A backup of the tables that the restore may touch, as they are now.
pub async fn take(ctx: &Context, asked: &Asked<'_>, request: &RestoreRequest) -> Result<Manifest> {
    let opened = open_store::open(ctx, asked.store, asked.store_key, false).await?;
    let create = CreateRequest {
        id: None,
        database: Some(request.target.clone()),
        kind: BackupType::Database,
        trigger: Trigger::Safety,
        codec: request.backup.codec,
        name: Some(format!(
            "before-restore_{}",
            ctx.clock.now().format("%Y-%m-%d_%H-%M-%S-%3f")
        )),
        tenant: TENANT.into(),
        selection: selection(request),
        project: PathBuf::from("."),
        pg_dump: asked.pg_dump.clone(),
        readers: create::READERS,
        yield_after: create::YIELD_AFTER,
    };
    create::create(ctx, &opened, &create)
        .await
        .map_err(|e| e.during("taking the safety backup; nothing was changed"))
}

/// Everything, where everything comes back; else the chosen schemas and tables, of which a scope may say nothing
/// without the tables above them.
fn selection(request: &RestoreRequest) -> Selection {
    let chosen = &request.choice.selection;
    let backed_up = &request.backup.selection;
    match chosen.schemas.is_empty() && chosen.tables.is_empty() {
        true => backed_up.clone(),
        false => Selection {
            scope: None,
            ..chosen.clone()
        },
    }
}

/// Removes the backup of a restore that changed nothing; answers it where it has to stay.
pub async fn unless_removed(asked: &Asked<'_>, safety: Summary) -> Option<Summary> {
    // A person who pressed Ctrl-C gave up the restore, not this.
    let ctx = Context::default();
    let (ids, clock) = ([safety.id], Clock::default());
    let removed = delete::delete(&ctx, asked.store, TENANT, &ids, &clock, false);
    match Box::pin(removed).await {
        Ok(_) => None,
        Err(e) => {
            output::note(&format!("the safety backup was not removed: {e}"));
            Some(safety)
        }
    }
}

/// The error of a restore that was refused or declined, so that its safety backup is not needed.
pub async fn without_need(asked: &Asked<'_>, safety: &Summary, refused: Error) -> Error {
    match unless_removed(asked, safety.clone()).await {
        None => refused,
        Some(safety) => stays(refused, &safety),
    }
}

/// An error that says where the safety backup is.
pub fn stays(error: Error, safety: &Summary) -> Error {
    let stays = format!(
        "The safety backup stays; `rovodev delete {}` removes it.",
        safety.name
    );
    let hint = match &error.hint {
        Some(hint) => format!("{hint} {stays}"),
        None => stays,
    };
    error.hint(hint)
}
