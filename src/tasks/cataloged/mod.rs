//! Backups as the catalog knows them: what people ask for, under their own rights.
//!
//! The database finds tenant and role by the caller's token and answers a value; nothing here decides who may.

mod activity;
mod change;
mod channels;
mod create;
mod details;
mod download;
mod list;
mod metrics;
mod refusals;
mod restore;
mod restores;
mod schedules;

pub use activity::{ActivityFilter, Entry, list_activity, note_activity_export};
pub use change::{Change, cancel, change, delete};
pub use channels::{
    AskedTest, Channel, Channels, Delivery, MadeChannel, ShownChannel, WantedChannel,
    change_channel, create_channel, delete_channel, list_channels, show_channel, test_channel,
};
pub use create::{CreateAnswer, CreateBackup, create};
pub use details::{Details, details};
pub use download::{
    DownloadAnswer, DownloadBackup, Export, ExportStatus, Link, content, download, export_status,
    open_link, record_stream, revoke,
};
pub use list::{Filter, Listed, Page, Sort, list, note_export};
pub use metrics::{Metrics, Period, read_metrics};
pub use refusals::note_refusal;
pub use restore::{RestoreAnswer, RestoreBackup, RestoreStatus, restore, restore_status};
pub use restores::{ListedRestore, Restores, RestoresFilter, list_restores};
pub use schedules::{
    ScheduleRun, Schedules, ShownSchedule, change_schedule, create_schedule, delete_schedule,
    list_schedules, run_schedule, set_hook, show_schedule,
};

use crate::error::Result;
use crate::ports::catalog::{As, Catalog, Repeat};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Who asks, and what the audit log shall say about it.
#[derive(Debug, Clone)]
pub struct Asker {
    /// A verified access token.
    pub token: String,
    /// Id or slug of one of the caller's tenants; none is the first one.
    pub tenant: Option<String>,
    /// `dashboard`, `api`, `cli`, `hook`.
    pub door: String,
    pub address: Option<String>,
}

/// What a function of the catalog answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "outcome", rename_all = "camelCase")]
pub enum Asked<T> {
    Done(T),
    Refused(Refusal),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    pub code: String,
    pub message: String,
    /// Seconds.
    #[serde(default)]
    pub retry_after: Option<u64>,
}

/// Nothing besides `outcome`.
#[derive(Debug, Clone, Deserialize)]
pub struct Nothing {}

async fn ask<T: DeserializeOwned>(
    catalog: &Catalog,
    asker: &Asker,
    function: &str,
    arguments: &impl Serialize,
    repeat: Repeat,
) -> Result<Asked<T>> {
    catalog
        .call(As::Person(&asker.token), function, arguments, repeat)
        .await
}
