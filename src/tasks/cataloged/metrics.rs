//! What happened day by day.

use super::{Asked, Asker, ask};
use crate::error::Result;
use crate::ports::catalog::{Catalog, Repeat};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// A time of which metrics are wanted.
#[derive(Debug, Clone)]
pub struct Period {
    /// Up to today: 1 to 366.
    pub days: u32,
    /// Whose midnights part the days.
    pub timezone: String,
    /// Of this schedule's backups alone.
    pub schedule: Option<Uuid>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Metrics {
    pub from: String,
    pub to: String,
    /// Every day of the period, the oldest first.
    pub days: Vec<Day>,
    /// By what took them; those that no schedule took are one without an id.
    pub schedules: Vec<OfSchedule>,
    pub doors: Vec<Door>,
    pub storage: Storage,
}

/// Bytes of the tenant's backups that are kept now, and how many there may be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Storage {
    pub stored: u64,
    pub quota: Option<u64>,
}

/// How long restores and reading back took, in milliseconds of those that ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proofs {
    pub restores: u64,
    pub restore_p50_ms: Option<u64>,
    pub restore_p95_ms: Option<u64>,
    pub read_backs: u64,
    pub read_back_p50_ms: Option<u64>,
    pub read_back_p95_ms: Option<u64>,
}

/// Backups of a day or of a schedule. Durations are milliseconds of those that completed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Runs {
    /// That were asked for, whatever became of them.
    pub runs: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub cancelled: u64,
    /// Of those that succeeded or failed; none where there are none.
    #[serde(skip_deserializing)]
    pub success_rate: Option<f64>,
    pub duration_p50_ms: Option<u64>,
    pub duration_p95_ms: Option<u64>,
    /// Bytes in the store, and those that were not stored before.
    pub size: u64,
    pub new_bytes: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Day {
    pub day: String,
    #[serde(flatten)]
    pub runs: Runs,
    #[serde(flatten)]
    pub proofs: Proofs,
    pub restores_failed: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OfSchedule {
    pub schedule: Option<Uuid>,
    pub name: Option<String>,
    #[serde(flatten)]
    pub runs: Runs,
    #[serde(flatten)]
    pub proofs: Proofs,
}

/// What was asked for and done by one door on a day: `dashboard`, `api`, `cli`, `cron`, `hook`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Door {
    pub day: String,
    pub door: String,
    pub operations: u64,
}

impl Runs {
    fn rated(&mut self) {
        let ended = self.succeeded + self.failed;
        self.success_rate = (ended > 0).then(|| self.succeeded as f64 / ended as f64);
    }
}

pub async fn read_metrics(
    catalog: &Catalog,
    asker: &Asker,
    period: &Period,
) -> Result<Asked<Metrics>> {
    let arguments = json!({
        "tenant": asker.tenant, "days": period.days, "zone": period.timezone, "schedule": period.schedule,
    });
    let function = "rovodev_read_metrics";
    let mut read: Asked<Metrics> =
        ask(catalog, asker, function, &arguments, Repeat::Safely).await?;
    if let Asked::Done(metrics) = &mut read {
        metrics.days.iter_mut().for_each(|day| day.runs.rated());
        metrics.schedules.iter_mut().for_each(|s| s.runs.rated());
    }
    Ok(read)
}
