//! Schedules, as people make and change them.

use super::{Asked, Asker, Nothing, ask};
use crate::error::Result;
use crate::ports::catalog::{Catalog, Repeat};
use crate::tasks::schedules::{RetainedBackup, Schedule, Wanted};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

#[derive(Debug, Clone, Deserialize)]
pub struct Schedules {
    pub schedules: Vec<Schedule>,
}

/// One schedule.
#[derive(Debug, Clone, Deserialize)]
pub struct ShownSchedule {
    pub schedule: Schedule,
    /// What its policy decides over, where that was asked for.
    #[serde(default)]
    pub backups: Vec<RetainedBackup>,
}

/// A backup that was begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleRun {
    pub id: Uuid,
    pub job_id: Uuid,
    pub status: String,
}

/// Oldest first.
pub async fn list_schedules(catalog: &Catalog, asker: &Asker) -> Result<Asked<Schedules>> {
    let arguments = json!({ "tenant": asker.tenant });
    let function = "rovodev_list_schedules";
    ask(catalog, asker, function, &arguments, Repeat::Safely).await
}

pub async fn show_schedule(
    catalog: &Catalog,
    asker: &Asker,
    id: Uuid,
    with_backups: bool,
) -> Result<Asked<ShownSchedule>> {
    let arguments = json!({ "schedule": id, "with_backups": with_backups });
    let function = "rovodev_show_schedule";
    ask(catalog, asker, function, &arguments, Repeat::Safely).await
}

pub async fn create_schedule(
    catalog: &Catalog,
    asker: &Asker,
    wanted: &Wanted,
) -> Result<Asked<ShownSchedule>> {
    let arguments = json!({
        "request": wanted, "tenant": asker.tenant, "door": asker.door, "address": asker.address,
    });
    let function = "rovodev_create_schedule";
    ask(catalog, asker, function, &arguments, Repeat::Safely).await
}

pub async fn change_schedule(
    catalog: &Catalog,
    asker: &Asker,
    id: Uuid,
    change: &Wanted,
) -> Result<Asked<ShownSchedule>> {
    let arguments = json!({
        "schedule": id, "change": change, "door": asker.door, "address": asker.address,
    });
    let function = "rovodev_change_schedule";
    ask(catalog, asker, function, &arguments, Repeat::Safely).await
}

/// Its backups stay.
pub async fn delete_schedule(catalog: &Catalog, asker: &Asker, id: Uuid) -> Result<Asked<Nothing>> {
    let arguments = json!({ "schedule": id, "door": asker.door, "address": asker.address });
    let function = "rovodev_delete_schedule";
    ask(catalog, asker, function, &arguments, Repeat::Unsent).await
}

/// The hash of the secret that runs it from outside; none takes it away.
pub async fn set_hook(
    catalog: &Catalog,
    asker: &Asker,
    id: Uuid,
    secret_hash: Option<&str>,
) -> Result<Asked<Nothing>> {
    let arguments = json!({
        "schedule": id, "secret_hash": secret_hash, "door": asker.door, "address": asker.address,
    });
    let function = "rovodev_set_hook";
    ask(catalog, asker, function, &arguments, Repeat::Safely).await
}

/// Takes a backup now.
pub async fn run_schedule(
    catalog: &Catalog,
    asker: &Asker,
    id: Uuid,
) -> Result<Asked<ScheduleRun>> {
    let arguments = json!({ "schedule": id, "door": asker.door, "address": asker.address });
    let function = "rovodev_run_schedule";
    ask(catalog, asker, function, &arguments, Repeat::Unsent).await
}
