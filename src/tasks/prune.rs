//! Deleting what no backup uses: a plan first, then the deletions.

mod plan;

pub use plan::{GRACE, PrunePlan, plan};

use super::lease::Lease;
use super::{Clock, Context};
use crate::core::progress::Stage;
use crate::error::{Code, Error, Result};
use crate::ports::store::{ObjectInfo, Store};

/// Below this many segments a store is too small for shares to mean anything.
const FEW: u64 = 100;
/// Objects per request; the claim is checked before each.
const BATCH: usize = 1000;

/// Deletes what no backup uses. With `dry_run` it stops at the plan.
///
/// Refused with [`Code::StoreBusy`] while a backup is written, with the manifest's own error where one
/// cannot be read, and with [`Code::ConfirmationNeeded`] where an implausible share would go.
pub async fn prune(
    ctx: &Context,
    store: &Store,
    clock: &Clock,
    dry_run: bool,
    force: bool,
) -> Result<PrunePlan> {
    if dry_run {
        return plan(ctx, store, clock.now()).await;
    }
    let lease = Lease::prune(store, clock).await?;
    let done = prune_under(ctx, store, clock, &lease, force).await;
    let released = lease.release().await;
    let done = done?;
    released.map(|()| done)
}

/// The same under a claim that is held already.
pub(super) async fn prune_under(
    ctx: &Context,
    store: &Store,
    clock: &Clock,
    lease: &Lease,
    force: bool,
) -> Result<PrunePlan> {
    ctx.progress.stage(Stage::Plan, 0);
    let plan = plan(ctx, store, clock.now()).await?;
    if !force {
        refuse_implausible(&plan)?;
    }
    ctx.progress.stage(Stage::Finish, plan.bytes());
    // Leftover folders go last: while one is there, an unfinished deletion is found again.
    remove(ctx, store, lease, &plan.segments).await?;
    remove(ctx, store, lease, &plan.leftovers).await?;
    Ok(plan)
}

/// Deletes under a claim, which must hold at every batch.
pub(super) async fn remove(
    ctx: &Context,
    store: &Store,
    lease: &Lease,
    objects: &[ObjectInfo],
) -> Result<()> {
    for batch in objects.chunks(BATCH) {
        ctx.check()?;
        let keys: Vec<String> = batch.iter().map(|o| o.key.clone()).collect();
        lease.while_held(store.delete(&keys)).await?;
        ctx.progress.add("", 0, batch.iter().map(|o| o.bytes).sum());
    }
    Ok(())
}

/// Retention drops backups one by one, so more than half of all segments at once rather means that
/// manifests were not seen: a wrong prefix, a lost folder, a store that lists too little.
fn refuse_implausible(plan: &PrunePlan) -> Result<()> {
    let doomed = plan.segments.len() as u64;
    let all = doomed + plan.used_segments + plan.young_segments;
    if doomed <= FEW || doomed * 2 <= all {
        return Ok(());
    }
    Err(Error::new(
        Code::ConfirmationNeeded,
        format!(
            "{doomed} of {all} segments would be deleted, since only {} backups use the others",
            plan.backups
        ),
    )
    .hint("Check with `rovodev list` that no backup is missing; then repeat it with --force."))
}
