//! What policies keep: shown beforehand, and carried out.

use crate::core::retention::{Backup, Decision, Policy, Reason, State, decide};
use crate::core::schedule::zone;
use crate::error::Result;
use crate::ports::catalog::{As, Catalog, Repeat, moment, moment_if_any};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Instant;
use uuid::Uuid;

/// Schedules of one look: each may bring thousands of backups.
const AT_ONCE: usize = 200;
/// Backups of one schedule that expire in one call: each is a row of the log and a job.
const MOST_EXPIRED: usize = 500;

/// A backup of a schedule, as its policy sees it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetainedBackup {
    pub id: Uuid,
    pub name: String,
    #[serde(deserialize_with = "moment")]
    pub created_at: DateTime<Utc>,
    pub status: String,
    pub trigger: String,
    pub pinned: bool,
    #[serde(default, deserialize_with = "moment_if_any")]
    pub verified_at: Option<DateTime<Utc>>,
    pub size: Option<u64>,
    pub damaged: bool,
    pub guards_undo: bool,
}

impl RetainedBackup {
    fn seen(&self) -> Backup {
        Backup {
            id: self.id,
            at: self.created_at,
            state: match self.status.as_str() {
                "completed" if self.damaged => State::Damaged,
                "completed" => State::Good,
                "pending" | "in_progress" => State::UnderWay,
                _ => State::Failed,
            },
            pinned: self.pinned,
            verified: self.verified_at.is_some(),
            guards_undo: self.guards_undo,
        }
    }
}

fn decided(
    policy: &Policy,
    timezone: &str,
    now: DateTime<Utc>,
    backups: &[RetainedBackup],
) -> Result<Vec<Decision>> {
    let seen: Vec<Backup> = backups.iter().map(RetainedBackup::seen).collect();
    Ok(decide(policy, zone(timezone)?, now, &seen))
}

/// What a policy would do now.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    pub retention: Policy,
    pub timezone: String,
    pub keeps: usize,
    pub expires: usize,
    /// Newest first.
    pub backups: Vec<Previewed>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Previewed {
    pub id: Uuid,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub status: String,
    pub size: Option<u64>,
    /// Not what was written when it was last read back.
    pub damaged: bool,
    pub keep: bool,
    pub reasons: Vec<Reason>,
}

/// For each backup whether it would be kept, and why.
pub fn preview(
    policy: Policy,
    timezone: &str,
    now: DateTime<Utc>,
    backups: Vec<RetainedBackup>,
) -> Result<Preview> {
    let decisions = decided(&policy, timezone, now, &backups)?;
    let keeps = decisions.iter().filter(|d| d.keep).count();
    let previewed = backups.into_iter().zip(decisions).map(|(b, d)| Previewed {
        id: b.id,
        name: b.name,
        created_at: b.created_at,
        status: b.status,
        size: b.size,
        damaged: b.damaged,
        keep: d.keep,
        reasons: d.reasons,
    });
    let backups: Vec<Previewed> = previewed.collect();
    Ok(Preview {
        retention: policy,
        timezone: timezone.into(),
        keeps,
        expires: backups.len() - keeps,
        backups,
    })
}

#[derive(Debug, Deserialize)]
struct Due {
    id: Uuid,
    timezone: String,
    retention: Policy,
    backups: Vec<RetainedBackup>,
}

/// Lets the backups expire that no policy keeps any more, schedule by schedule, until each was looked at or `until` has
/// come. How many; jobs take them out of the store.
pub async fn expire_due(catalog: &Catalog, now: DateTime<Utc>, until: Instant) -> Result<usize> {
    let mut gone = 0;
    while Instant::now() < until {
        let look = json!({ "at": now, "most": AT_ONCE });
        let due: Vec<serde_json::Value> = catalog
            .call(As::Jobs, "rovodev_due_retention", &look, Repeat::Unsent)
            .await?;
        if due.is_empty() {
            break;
        }
        for schedule in due {
            // One that was written past the functions must not hold up the others.
            match serde_json::from_value(schedule) {
                Ok(due) => gone += expire(catalog, now, &due).await?,
                Err(error) => tracing::warn!(%error, "a retention policy cannot be read"),
            }
        }
    }
    Ok(gone)
}

async fn expire(catalog: &Catalog, now: DateTime<Utc>, due: &Due) -> Result<usize> {
    let decisions = match decided(&due.retention, &due.timezone, now, &due.backups) {
        Ok(decisions) => decisions,
        Err(error) => {
            tracing::warn!(schedule = %due.id, %error, "a retention policy cannot be applied");
            return Ok(0);
        }
    };
    // The oldest first.
    let expired = decisions.iter().rev().filter(|d| !d.keep).map(|d| d.id);
    let mut expired: Vec<Uuid> = expired.collect();
    if expired.is_empty() {
        return Ok(0);
    }
    let more = expired.len() > MOST_EXPIRED;
    expired.truncate(MOST_EXPIRED);
    let is_last = |d: &&Decision| d.reasons.iter().any(|r| r.code == "last_good");
    let last_good = decisions.iter().find(is_last).map(|d| d.id);
    let arguments = json!({
        "schedule": due.id, "expired": expired, "last_good": last_good, "at": now, "more": more,
    });
    let function = "rovodev_expire_backups";
    catalog
        .call(As::Jobs, function, &arguments, Repeat::Safely)
        .await
}
