//! What a schedule would do that nobody has saved yet.

use super::retained::{Preview, RetainedBackup, preview};
use super::{SHOWN_RUNS, Schedule};
use crate::core::retention::Policy;
use crate::core::schedule::{Run, Timing, zone};
use crate::error::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// A schedule as somebody thinks of it.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// None runs at no times.
    pub cron: Option<String>,
    /// None is the one of the schedule that is there already, else UTC.
    pub timezone: Option<String>,
    /// None keeps everything.
    pub retention: Option<Policy>,
}

/// What a draft would do. Field names are the API's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    pub next_runs: Vec<Run>,
    /// For the backups of the schedule that is there already.
    pub retention: Option<Preview>,
}

impl Draft {
    /// `saved` is the schedule that would become this one, with its backups.
    ///
    /// # Errors
    /// [`crate::error::Code::BadSchedule`], with what to write instead.
    pub fn planned(
        self,
        saved: Option<(Schedule, Vec<RetainedBackup>)>,
        now: DateTime<Utc>,
    ) -> Result<Planned> {
        let policy = self.retention.unwrap_or_default();
        policy.check()?;
        let known = saved.as_ref().map(|(schedule, _)| &schedule.timezone);
        let timezone = self.timezone.or_else(|| known.cloned());
        let timezone = timezone.unwrap_or_else(|| "UTC".into());
        zone(&timezone)?;
        let runs = |cron: &String| Timing::new(cron, &timezone)?.upcoming(now, SHOWN_RUNS);
        let next_runs = self.cron.as_ref().map(runs).transpose()?;
        let retained = |(_, backups)| preview(policy, &timezone, now, backups);
        Ok(Planned {
            next_runs: next_runs.unwrap_or_default(),
            retention: saved.map(retained).transpose()?,
        })
    }
}
