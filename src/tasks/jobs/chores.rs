//! What the tick looks after besides jobs: what killed processes left behind.

use super::Workshop;
use crate::error::{Code, Result};
use crate::ports::catalog::{As, Repeat};
use crate::tasks::prune::prune;
use crate::tasks::restore::in_place;
use crate::tasks::{Context, exports};
use serde_json::json;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// Drops exports that ended, the staging of restores that died, once an hour what restores kept longer than they promised
/// and, once a day, objects of the store that no backup uses.
/// What one of them stands on may be down; the others are done all the same.
pub async fn clean_up(workshop: &Workshop, ctx: &Context) -> Result<()> {
    let exports = exports::drop_ended(&workshop.catalog, &workshop.store).await;
    let staging = in_place::drop_leftovers(&workshop.source).await;
    if let Ok(dropped) = &staging
        && !dropped.is_empty()
    {
        tracing::info!(?dropped, "dropped what dead restores had staged");
    }
    let undos = end_undos_hourly(workshop).await;
    let pruned = prune_daily(workshop, ctx).await;
    let forgotten = forget_notifications_hourly(workshop).await;
    exports
        .map(drop)
        .and(staging.map(drop))
        .and(undos)
        .and(pruned)
        .and(forgotten)
}

/// Drops what was told a month ago.
async fn forget_notifications_hourly(workshop: &Workshop) -> Result<()> {
    if !claim(workshop, "notifications", HOUR).await? {
        return Ok(());
    }
    let function = "rovodev_prune_notifications";
    let dropped: u64 = workshop
        .catalog
        .call(As::Jobs, function, &json!({}), Repeat::Safely)
        .await?;
    tracing::debug!(dropped, "messages that were told a month ago");
    Ok(())
}

/// Whether nobody did it within `seconds`, and nobody else does now.
async fn claim(workshop: &Workshop, chore: &str, seconds: u64) -> Result<bool> {
    let claim = json!({ "chore": chore, "seconds": seconds });
    workshop
        .catalog
        .call(As::Jobs, "rovodev_claim_chore", &claim, Repeat::Unsent)
        .await
}

/// Drops what restores kept longer than they promised, and tells the catalog what cannot be undone any more, also where
/// somebody else dropped it.
async fn end_undos_hourly(workshop: &Workshop) -> Result<()> {
    if !claim(workshop, "undo", HOUR).await? {
        return Ok(());
    }
    let dropped = in_place::drop_expired(&workshop.source).await?;
    if !dropped.is_empty() {
        tracing::info!(
            ?dropped,
            "dropped what restores kept until a date that passed"
        );
    }
    let kept = in_place::operations(&workshop.source).await?;
    let kept: Vec<_> = kept.iter().map(|o| o.id).collect();
    let ended: u64 = workshop
        .catalog
        .call(
            As::Jobs,
            "rovodev_end_undos",
            &json!({ "kept": kept }),
            Repeat::Safely,
        )
        .await?;
    tracing::debug!(ended, "restores that cannot be undone any more");
    Ok(())
}

async fn prune_daily(workshop: &Workshop, ctx: &Context) -> Result<()> {
    if !claim(workshop, "prune", DAY).await? {
        return Ok(());
    }
    match prune(ctx, &workshop.store, &ctx.clock, false, false).await {
        Ok(plan) => tracing::info!(?plan, "pruned the store"),
        // A backup is being written, or nothing was stored yet: tomorrow is soon enough.
        Err(e) if [Code::StoreBusy, Code::StoreMissing].contains(&e.code) => {}
        Err(e) => return Err(e),
    }
    Ok(())
}
