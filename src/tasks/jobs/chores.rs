//! What the tick looks after besides jobs: what killed processes left behind.

use super::Workshop;
use crate::error::{Code, Result};
use crate::ports::catalog::{As, Repeat};
use crate::tasks::prune::prune;
use crate::tasks::restore::in_place;
use crate::tasks::{Context, exports};
use serde_json::json;

const DAY: u64 = 24 * 3600;

/// Drops exports that ended, the staging of restores that died and, once a day, objects of the store that no backup uses.
/// What one of them stands on may be down; the others are done all the same.
pub async fn clean_up(workshop: &Workshop, ctx: &Context) -> Result<()> {
    let exports = exports::drop_ended(&workshop.catalog, &workshop.store).await;
    let staging = in_place::drop_leftovers(&workshop.source).await;
    if let Ok(dropped) = &staging
        && !dropped.is_empty()
    {
        tracing::info!(?dropped, "dropped what dead restores had staged");
    }
    let pruned = prune_daily(workshop, ctx).await;
    exports.map(drop).and(staging.map(drop)).and(pruned)
}

async fn prune_daily(workshop: &Workshop, ctx: &Context) -> Result<()> {
    let claim = json!({ "chore": "prune", "seconds": DAY });
    let ours: bool = workshop
        .catalog
        .call(As::Jobs, "rovodev_claim_chore", &claim, Repeat::Unsent)
        .await?;
    if !ours {
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
