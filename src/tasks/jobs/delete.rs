//! Taking a deleted backup out of the store.

use super::{Job, Workshop};
use crate::error::{Code, Result};
use crate::tasks::delete::{delete, withdraw};
use crate::tasks::{Context, exports};
use serde_json::{Map, Value};

/// Out of the store's lists first, whatever else is at work there; what it alone used goes when nothing is, or with the
/// next prune. What is not there any more was deleted by an attempt before this one.
pub async fn run(ctx: &Context, workshop: &Workshop, job: &Job) -> Result<Map<String, Value>> {
    let (store, tenant, ids) = (&workshop.store, &job.tenant.slug, [job.backup.id]);
    withdraw(store, tenant, job.backup.id).await?;
    match delete(ctx, store, tenant, &ids, &ctx.clock, false).await {
        Ok(_) => {}
        Err(e) if e.code == Code::BackupNotFound => {}
        Err(e) => return Err(e),
    }
    // Links into the store end with the objects that they lead to.
    exports::drop_ended(&workshop.catalog, store).await?;
    Ok(Map::new())
}
