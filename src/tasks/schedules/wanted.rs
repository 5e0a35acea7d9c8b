//! What somebody wants a schedule to be: checked, and with its next run, which the catalog cannot compute.

use super::Schedule;
use crate::core::manifest::BackupType;
use crate::core::retention::Policy;
use crate::core::schedule::{Timing, zone};
use crate::error::{Code, Error, Result};
use crate::tasks::create::usable;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What makes a schedule run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// Its expression.
    #[default]
    Cron,
    /// A deployment.
    Deploy,
    /// A person.
    Manual,
}

/// What a deployment waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    #[default]
    None,
    /// That the backup is there.
    Backup,
    /// That it was read back from the store too, and is what was written.
    Checked,
}

/// What becomes of a deployment whose backup is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It does not go live.
    #[default]
    Block,
    Allow,
}

/// Minutes that a deployment waits, at most.
const LONGEST_WAIT: u32 = 1440;

/// A schedule to be made, or what of one shall be otherwise; what is absent stays, or takes its default.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "type")]
    pub kind: Option<BackupType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub components: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compress: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Policy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// Minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_at_most: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_run_at: Option<DateTime<Utc>>,
}

const UTC: &str = "UTC";

fn bad(message: &str) -> Error {
    Error::new(Code::BadSchedule, message)
}

fn components(kind: BackupType) -> Vec<&'static str> {
    match kind {
        BackupType::Full => vec!["database", "config"],
        BackupType::Database => vec!["database"],
        BackupType::Config => vec!["config"],
    }
}

impl Wanted {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Of a new schedule.
    ///
    /// # Errors
    /// [`Code::BadSchedule`] and [`Code::Usage`], with what to write instead.
    pub fn made(self, now: DateTime<Utc>) -> Result<Self> {
        let id = self.id.unwrap_or_else(Uuid::now_v7);
        if self.name.is_none() {
            return Err(bad("a schedule needs a name"));
        }
        let trigger = self.trigger.unwrap_or_default();
        let timezone = self.timezone.clone().unwrap_or_else(|| UTC.into());
        let cron = self.cron.clone();
        let made = Self {
            id: Some(id),
            timezone: Some(timezone.clone()),
            kind: self.kind.or(Some(BackupType::Full)),
            ..self
        };
        made.checked()?.timed(id, trigger, cron, &timezone, now)
    }

    /// Of a schedule that is there. Its next run is computed anew only where this changes when it runs.
    ///
    /// # Errors
    /// As above.
    pub fn changed(self, old: &Schedule, now: DateTime<Utc>) -> Result<Self> {
        let trigger = self.trigger.unwrap_or(old.trigger);
        let cron = self.cron.clone().or_else(|| old.cron.clone());
        let cron = cron.filter(|_| trigger == Trigger::Cron || self.cron.is_some());
        let timezone = self.timezone.clone();
        let timezone = timezone.unwrap_or_else(|| old.timezone.clone());
        let turned_on = self.enabled == Some(true) && !old.enabled;
        let same = trigger == old.trigger && cron == old.cron && timezone == old.timezone;
        let checked = self.checked()?;
        match same && !turned_on {
            true => Ok(checked),
            false => checked.timed(old.id, trigger, cron, &timezone, now),
        }
    }

    fn checked(self) -> Result<Self> {
        if let Some(name) = &self.name {
            usable(name)?;
        }
        if let Some(name) = &self.timezone {
            zone(name)?;
        }
        if let Some(policy) = &self.retention {
            policy.check()?;
        }
        if self
            .wait_at_most
            .is_some_and(|m| !(1..=LONGEST_WAIT).contains(&m))
        {
            let told = format!("a deployment waits for 1 to {LONGEST_WAIT} minutes");
            return Err(bad(&told));
        }
        Ok(Self {
            components: self.kind.map(components),
            ..self
        })
    }

    fn timed(
        self,
        id: Uuid,
        trigger: Trigger,
        cron: Option<String>,
        timezone: &str,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let cron = match (trigger, cron) {
            (Trigger::Cron, Some(cron)) => cron,
            (Trigger::Cron, None) => {
                return Err(bad("a schedule needs a cron expression").hint(
                    "Write one such as \"0 2 * * *\", or make its trigger manual or deploy.",
                ));
            }
            (_, None) => return Ok(self),
            (_, Some(_)) => {
                return Err(bad(
                    "only a schedule whose trigger is cron has an expression",
                ));
            }
        };
        let timing = Timing::new(&cron, timezone)?;
        let jitter = timing.jitter_of(id);
        let next = timing.later_by(jitter).next(now)?.at;
        Ok(Self {
            jitter_seconds: Some(jitter),
            next_run_at: Some(next),
            ..self
        })
    }
}
