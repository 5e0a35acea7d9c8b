//! Schedules: when backups are taken by themselves, and how long they are kept.

mod draft;
mod due;
mod retained;
mod wanted;

pub use draft::{Draft, Planned};
pub use due::{Claimed, claim_due};
pub use retained::{Preview, Previewed, RetainedBackup, expire_due, preview};
pub use wanted::{Gate, OnFailure, Trigger, Wanted};

use crate::core::manifest::BackupType;
use crate::core::retention::Policy;
use crate::core::schedule::{Run, Timing};
use crate::error::Result;
use crate::ports::catalog::{moment, moment_if_any};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Runs that are shown of a schedule.
const SHOWN_RUNS: usize = 5;

/// A schedule as the catalog has it. Field names are the API's.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    pub id: Uuid,
    pub name: String,
    /// Five fields; of those that run at times alone.
    pub cron: Option<String>,
    pub timezone: String,
    pub trigger: Trigger,
    #[serde(rename = "type")]
    pub kind: BackupType,
    pub components: Vec<String>,
    pub compress: bool,
    pub retention: Policy,
    pub enabled: bool,
    /// So much later than its expression says it runs.
    pub jitter_seconds: u32,
    #[serde(deserialize_with = "moment_if_any")]
    pub next_run_at: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "moment_if_any")]
    pub last_run_at: Option<DateTime<Utc>>,
    /// How the last run that ended did: `completed`, `failed` or `cancelled`.
    pub last_result: Option<String>,
    pub last_backup_id: Option<Uuid>,
    pub failures_in_a_row: u32,
    #[serde(deserialize_with = "moment")]
    pub created_at: DateTime<Utc>,
    pub created_by: Option<String>,
    /// What deployments wait for that run it.
    pub gate: Gate,
    pub on_failure: OnFailure,
    /// Minutes.
    pub wait_at_most: u32,
    /// When the secret was made by which it is run from outside; none where there is none.
    #[serde(deserialize_with = "moment_if_any")]
    pub hook_made_at: Option<DateTime<Utc>>,
}

/// A schedule, and when it runs.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    #[serde(flatten)]
    pub schedule: Schedule,
    /// The next five; none where it is off, or runs when somebody says so.
    #[serde(rename = "nextRuns")]
    pub next_runs: Vec<Run>,
}

impl Schedule {
    /// When it runs, jitter included; none where it has no times.
    ///
    /// # Errors
    /// [`crate::error::Code::BadSchedule`] for what was written past the functions.
    pub fn timing(&self) -> Result<Option<Timing>> {
        let timing = |cron: &String| Timing::new(cron, &self.timezone);
        let timing = self.cron.as_ref().map(timing).transpose()?;
        Ok(timing.map(|t| t.later_by(self.jitter_seconds)))
    }

    /// With its next runs. What is overdue will run once, and then as shown.
    pub fn shown(self, now: DateTime<Utc>) -> Shown {
        let timing = self.timing().ok().flatten().filter(|_| self.enabled);
        let runs = timing.and_then(|t| t.upcoming(now, SHOWN_RUNS).ok());
        Shown {
            schedule: self,
            next_runs: runs.unwrap_or_default(),
        }
    }
}
