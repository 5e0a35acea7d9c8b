//! Schedules, for operators.

use super::{Job, Operator};
use crate::core::retention::Policy;
use crate::error::Result;
use crate::tasks::cataloged::{ScheduleRun, Schedules, ShownSchedule};
use crate::tasks::schedules::{Preview, Schedule, Wanted, preview};
use chrono::Utc;
use serde_json::{Value, json};
use uuid::Uuid;

impl Operator {
    /// Oldest first.
    pub async fn schedules(&self) -> Result<Vec<Schedule>> {
        let wanted = json!({ "tenant": self.tenant });
        let listed: Schedules = self
            .read("rovodev_operators_list_schedules", wanted)
            .await?;
        Ok(listed.schedules)
    }

    pub async fn create_schedule(&self, wanted: Wanted) -> Result<Schedule> {
        let request = wanted.made(Utc::now())?;
        let made: ShownSchedule = self.told("create", json!({ "request": request })).await?;
        Ok(made.schedule)
    }

    pub async fn change_schedule(&self, old: &Schedule, change: Wanted) -> Result<Schedule> {
        let change = change.changed(old, Utc::now())?;
        let wanted = json!({ "schedule": old.id, "change": change });
        let changed: ShownSchedule = self.told("change", wanted).await?;
        Ok(changed.schedule)
    }

    /// Its backups stay.
    pub async fn delete_schedule(&self, id: Uuid) -> Result<()> {
        let _: Value = self.told("delete", json!({ "schedule": id })).await?;
        Ok(())
    }

    /// Puts a backup of the schedule into the queue.
    pub async fn run_schedule(&self, id: Uuid) -> Result<Job> {
        let begun: ScheduleRun = self.told("run", json!({ "schedule": id })).await?;
        Ok(Job::Backup {
            id: begun.job_id,
            backup: begun.id,
        })
    }

    /// The hash of the secret that runs it from outside; none takes it away.
    pub async fn set_hook(&self, id: Uuid, secret_hash: Option<&str>) -> Result<()> {
        let wanted = json!({
            "tenant": self.tenant, "actor": self.actor, "schedule": id, "secret_hash": secret_hash,
        });
        let _: Value = self.read("rovodev_operators_set_hook", wanted).await?;
        Ok(())
    }

    /// What a schedule's policy would do now.
    pub async fn preview_retention(&self, id: Uuid) -> Result<Preview> {
        let wanted = json!({ "tenant": self.tenant, "schedule": id });
        let found: ShownSchedule = self.read("rovodev_operators_show_schedule", wanted).await?;
        let policy: Policy = found.schedule.retention;
        preview(policy, &found.schedule.timezone, Utc::now(), found.backups)
    }

    async fn told<T: serde::de::DeserializeOwned>(
        &self,
        verb: &str,
        mut wanted: Value,
    ) -> Result<T> {
        wanted["tenant"] = json!(self.tenant);
        wanted["actor"] = json!(self.actor);
        let function = format!("rovodev_operators_{verb}_schedule");
        self.read(&function, wanted).await
    }
}
