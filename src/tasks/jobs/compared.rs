//! Comparing a backup with those before it. Whatever fails here, the backup is there.

use super::{Job, Workshop};
use crate::core::anomaly::{ALWAYS, Anomaly, MOST, Measured, anomalies};
use crate::core::manifest::{Manifest, Trigger};
use crate::error::Result;
use crate::ports::catalog::{As, Repeat};
use serde_json::json;
use std::time::Duration;

/// So long the end of a backup waits for it.
const WORTH: Duration = Duration::from_secs(10);

/// In what it differs from those before it; nothing where these cannot be read now.
pub(super) async fn compared(workshop: &Workshop, job: &Job, manifest: &Manifest) -> Vec<Anomaly> {
    // A restore's own backup is of that moment; files have no rows.
    if manifest.trigger == Trigger::Safety || manifest.source.is_none() {
        return Vec::new();
    }
    match tokio::time::timeout(WORTH, before(workshop, job)).await {
        Ok(Ok(before)) => anomalies(&measured(manifest), &before),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the backup was not compared with those before it");
            Vec::new()
        }
        Err(_) => {
            tracing::warn!("the catalog is too slow to compare the backup with those before it");
            Vec::new()
        }
    }
}

/// The newest first.
async fn before(workshop: &Workshop, job: &Job) -> Result<Vec<Measured>> {
    let wanted = json!({ "backup": job.backup.id, "most": MOST, "with_tables": ALWAYS });
    let function = "rovodev_earlier_backups";
    let catalog = &workshop.catalog;
    catalog
        .call(As::Jobs, function, &wanted, Repeat::Safely)
        .await
}

fn measured(manifest: &Manifest) -> Measured {
    let tables = manifest.tables.iter();
    Measured {
        rows: manifest.totals.rows,
        bytes: manifest.totals.raw_bytes,
        tables: tables.map(|t| (t.name.to_string(), t.rows)).collect(),
    }
}
