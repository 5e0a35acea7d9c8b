//! Claiming what is due, each run once, whoever else claims at the same time.

use crate::core::schedule::Timing;
use crate::error::Result;
use crate::ports::catalog::{As, Catalog, Repeat, moment};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Instant;
use uuid::Uuid;

/// Schedules of one look.
const AT_ONCE: usize = 2000;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Due {
    id: Uuid,
    cron: String,
    timezone: String,
    jitter_seconds: u32,
    #[serde(deserialize_with = "moment")]
    next_run_at: DateTime<Utc>,
}

/// From one run to the one after it.
#[derive(Debug, Clone, Serialize)]
struct Claim {
    schedule: Uuid,
    expected: DateTime<Utc>,
    /// None where nobody can say when it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Claimed {
    pub runs: usize,
    /// Something may be due still: the time ended before the work did.
    pub more: bool,
}

/// Claims what is due at `now`, the longest overdue first, until nothing is or `until` has come. What was missed, however
/// often, runs once: the next run is one that comes after `now`.
pub async fn claim_due(catalog: &Catalog, now: DateTime<Utc>, until: Instant) -> Result<Claimed> {
    let mut claimed = Claimed::default();
    loop {
        let look = json!({ "at": now, "most": AT_ONCE });
        let due: Vec<Due> = catalog
            .call(As::Jobs, "rovodev_due_schedules", &look, Repeat::Safely)
            .await?;
        if due.is_empty() {
            return Ok(claimed);
        }
        let claims: Vec<Claim> = due.iter().map(|due| claim(due, now)).collect();
        let arguments = json!({ "claims": claims, "at": now });
        // Again is safe: a run that was claimed is not found a second time.
        let runs: usize = catalog
            .call(
                As::Jobs,
                "rovodev_claim_schedules",
                &arguments,
                Repeat::Safely,
            )
            .await?;
        claimed.runs += runs;
        // Others are at what is left.
        if runs == 0 && claims.iter().all(|c| c.next.is_some()) {
            return Ok(claimed);
        }
        if Instant::now() >= until {
            claimed.more = true;
            return Ok(claimed);
        }
    }
}

fn claim(due: &Due, now: DateTime<Utc>) -> Claim {
    let timing = Timing::new(&due.cron, &due.timezone).map(|t| t.later_by(due.jitter_seconds));
    let next = timing.and_then(|t| t.next(now.max(due.next_run_at)));
    if let Err(error) = &next {
        tracing::warn!(schedule = %due.id, %error, "a schedule cannot run and is switched off");
    }
    Claim {
        schedule: due.id,
        expected: due.next_run_at,
        next: next.ok().map(|run| run.at),
    }
}
