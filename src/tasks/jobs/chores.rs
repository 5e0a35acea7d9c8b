//! What the tick looks after besides jobs: what killed processes left behind.

use super::Workshop;
use crate::error::{Code, Result};
use crate::ports::catalog::{As, Repeat};
use crate::tasks::prune::prune;
use crate::tasks::restore::in_place;
use crate::tasks::{Context, exports};
use serde_json::json;
use std::time::Duration;

/// So long after the deadline what was told to stop may take.
const STOPPING: Duration = Duration::from_secs(5);
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// Drops exports that ended, the staging of restores that died, once an hour what restores kept longer than they promised
/// and, once a day, objects of the store that no backup uses.
/// What one of them stands on may be down; the others are done all the same.
pub async fn clean_up(workshop: &Workshop, ctx: &Context) -> Result<()> {
    let done = within(workshop, ctx, Box::pin(all(workshop, ctx))).await;
    done.unwrap_or_else(|| {
        tracing::warn!("the time was over before all was cleaned up; the next tick goes on");
        Ok(())
    })
}

/// What `work` comes to; it is told to stop at the deadline, and left a little later.
async fn within<T>(
    workshop: &Workshop,
    ctx: &Context,
    mut work: impl Future<Output = T> + Unpin,
) -> Option<T> {
    let Some(deadline) = workshop.deadline else {
        return Some(work.await);
    };
    if let Ok(done) = tokio::time::timeout_at(deadline.into(), &mut work).await {
        return Some(done);
    }
    ctx.cancel.cancel();
    tokio::time::timeout(STOPPING, work).await.ok()
}

async fn all(workshop: &Workshop, ctx: &Context) -> Result<()> {
    let unworked = end_unworked(workshop).await;
    let exports = exports::drop_ended(&workshop.catalog, &workshop.store).await;
    let staging = in_place::drop_leftovers(&workshop.source).await;
    if let Ok(dropped) = &staging
        && !dropped.is_empty()
    {
        tracing::info!(?dropped, "dropped what dead restores had staged");
    }
    let undos = end_undos_hourly(workshop).await;
    let forgotten = forget_notifications_hourly(workshop).await;
    let swept = sweep_hourly(workshop).await;
    // Last: it may take as long as there is.
    let pruned = prune_daily(workshop, ctx).await;
    exports
        .map(drop)
        .and(staging.map(drop))
        .and(undos)
        .and(unworked)
        .and(forgotten)
        .and(swept)
        .and(pruned)
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

/// Ends what waits for a worker that nobody starts.
async fn end_unworked(workshop: &Workshop) -> Result<()> {
    let hours = json!({ "hours": workshop.worker_hours });
    let ended: u64 = workshop
        .catalog
        .call(As::Jobs, "rovodev_end_unworked", &hours, Repeat::Safely)
        .await?;
    if ended > 0 {
        tracing::warn!(ended, "jobs that no worker took up were ended");
    }
    Ok(())
}

/// Drops what ended long ago from the catalog, some thousands at a time.
async fn sweep_hourly(workshop: &Workshop) -> Result<()> {
    if !claim(workshop, "sweep", HOUR).await? {
        return Ok(());
    }
    let swept: u64 = workshop
        .catalog
        .call(As::Jobs, "rovodev_sweep", &json!({}), Repeat::Safely)
        .await?;
    tracing::debug!(swept, "rows of what ended long ago");
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
    // What stops it soon would stop it tomorrow, too.
    if !workshop.has_time() || !claim(workshop, "prune", DAY).await? {
        return Ok(());
    }
    match prune(ctx, &workshop.store, &ctx.clock, false, false).await {
        Ok(plan) => tracing::info!(?plan, "pruned the store"),
        // A backup is being written, or nothing was stored yet: tomorrow is soon enough.
        Err(e) if [Code::StoreBusy, Code::StoreMissing].contains(&e.code) => {}
        Err(e) => {
            let arguments = json!({ "chore": "prune", "every": DAY, "seconds": HOUR });
            let function = "rovodev_put_off_chore";
            let catalog = &workshop.catalog;
            let _: Option<bool> = catalog
                .call(As::Jobs, function, &arguments, Repeat::Safely)
                .await?;
            if e.code != Code::Cancelled {
                return Err(e);
            }
            tracing::warn!(
                "pruning the store takes longer than a function may run: run `rovodev prune`"
            );
        }
    }
    Ok(())
}
