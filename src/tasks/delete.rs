//! Deleting backups: gone at once for every reader, then what they alone used.

use super::lease::Lease;
use super::prune::{PrunePlan, prune_under, remove};
use super::{Clock, Context};
use crate::core::keys;
use crate::error::{Code, Error, Result};
use crate::ports::store::{ObjectInfo, Store};
use bytes::Bytes;
use uuid::Uuid;

/// Says that a folder was meant to go.
const DELETED: &[u8] = b"{}\n";

#[derive(Debug)]
pub struct Deleted {
    pub ids: Vec<Uuid>,
    /// What was pruned afterwards, or why nothing was; the backups are deleted either way.
    pub pruned: Result<PrunePlan>,
}

/// Deletes backups of a tenant. If it is killed, the same call again finishes the job.
///
/// The folder stays until the segments are pruned, with a `deleted.json` that says what was meant.
/// Segments younger than [`super::prune::GRACE`] stay for a later prune.
pub async fn delete(
    ctx: &Context,
    store: &Store,
    tenant: &str,
    ids: &[Uuid],
    clock: &Clock,
    force: bool,
) -> Result<Deleted> {
    let lease = Lease::prune(store, clock).await?;
    let done = delete_under(ctx, store, tenant, ids, clock, &lease, force).await;
    let released = lease.release().await;
    let done = done?;
    released.map(|()| done)
}

/// Takes a backup out of every list at once, beside whatever else works on the store; its objects go with the next
/// prune. One that is not there is fine.
pub async fn withdraw(store: &Store, tenant: &str, id: Uuid) -> Result<()> {
    let objects = store.list(&keys::backup_dir(tenant, id)).await?;
    if objects.is_empty() {
        return Ok(());
    }
    store
        .put_new(&keys::deleted(tenant, id), Bytes::from_static(DELETED))
        .await?;
    store.delete(&[keys::manifest(tenant, id)]).await
}

async fn delete_under(
    ctx: &Context,
    store: &Store,
    tenant: &str,
    ids: &[Uuid],
    clock: &Clock,
    lease: &Lease,
    force: bool,
) -> Result<Deleted> {
    for &id in ids {
        refuse_unknown(store, tenant, id).await?;
    }
    for &id in ids {
        ctx.check()?;
        lease.still_held().await?;
        store
            .put_new(&keys::deleted(tenant, id), Bytes::from_static(DELETED))
            .await?;
        store.delete(&[keys::manifest(tenant, id)]).await?;
    }
    let pruned = match prune_under(ctx, store, clock, lease, force).await {
        Err(e) if must_stop(&e) => return Err(e),
        pruned => pruned,
    };
    for &id in ids {
        let (mark, rest): (Vec<ObjectInfo>, Vec<ObjectInfo>) = store
            .list(&keys::backup_dir(tenant, id))
            .await?
            .into_iter()
            .partition(|o| o.key == keys::deleted(tenant, id));
        remove(ctx, store, lease, &rest).await?;
        remove(ctx, store, lease, &mark).await?;
    }
    Ok(Deleted {
        ids: ids.to_vec(),
        pruned,
    })
}

async fn refuse_unknown(store: &Store, tenant: &str, id: Uuid) -> Result<()> {
    if store.list(&keys::backup_dir(tenant, id)).await?.is_empty() {
        return Err(Error::new(
            Code::BackupNotFound,
            format!(
                "there is no backup {id} in {}; nothing was deleted",
                store.describe()
            ),
        )
        .hint("`rovodev list` shows the backups that are there."));
    }
    Ok(())
}

/// Only a refusal to prune lets the deletion itself go on.
fn must_stop(e: &Error) -> bool {
    !matches!(
        e.code,
        Code::ConfirmationNeeded | Code::ManifestDamaged | Code::FormatTooNew
    )
}
