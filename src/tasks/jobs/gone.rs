//! What a job leaves in the store when the row that it works on goes from the catalog meanwhile: nothing that is listed.

use super::{Job, Kind, Workshop};
use crate::error::Result;
use crate::tasks::delete::withdraw;

/// `safety_told`: the catalog has the restore's safety backup, which stays then.
pub async fn take_away(workshop: &Workshop, job: &Job, safety_told: bool) -> Result<()> {
    let (store, tenant) = (&workshop.store, &job.tenant.slug);
    let promised = job.operation.as_ref().and_then(|o| o.safety_backup_id);
    match (job.kind, promised, &job.export) {
        (Kind::Backup | Kind::Delete, ..) => withdraw(store, tenant, job.backup.id).await,
        (Kind::Restore, Some(safety), _) if !safety_told => withdraw(store, tenant, safety).await,
        (Kind::Export, _, Some(export)) => {
            store.abandon(&export.store_key).await?;
            store.delete(std::slice::from_ref(&export.store_key)).await
        }
        _ => Ok(()),
    }
}
