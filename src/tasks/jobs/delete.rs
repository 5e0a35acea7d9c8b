//! Taking a deleted backup out of the store.

use super::{Job, Workshop};
use crate::error::{Code, Result};
use crate::tasks::Context;
use crate::tasks::delete::delete;
use serde_json::{Map, Value};

/// What is not there any more was deleted by an attempt before this one.
pub async fn run(ctx: &Context, workshop: &Workshop, job: &Job) -> Result<Map<String, Value>> {
    let (store, tenant, ids) = (&workshop.store, &job.tenant.slug, [job.backup.id]);
    match delete(ctx, store, tenant, &ids, &ctx.clock, false).await {
        Ok(_) => Ok(Map::new()),
        Err(e) if e.code == Code::BackupNotFound => Ok(Map::new()),
        Err(e) => Err(e),
    }
}
