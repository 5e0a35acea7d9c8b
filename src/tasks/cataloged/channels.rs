//! Channels, as people make and change them.

use super::{Asked, Asker, Nothing, ask};
use crate::core::notify::{Event, Kind};
use crate::error::Result;
use crate::ports::catalog::{Catalog, Repeat, moment, moment_if_any};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// Who is told of what. Field names are the API's; what it leads to is shown in part.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Channel {
    pub id: Uuid,
    pub kind: Kind,
    pub name: String,
    pub events: Vec<Event>,
    pub schedule_id: Option<Uuid>,
    pub target: String,
    pub enabled: bool,
    pub failures_in_a_row: u32,
    #[serde(deserialize_with = "moment")]
    pub created_at: DateTime<Utc>,
    pub created_by: Option<String>,
    /// The caller made it.
    pub mine: bool,
    /// The last ones.
    pub deliveries: Vec<Delivery>,
}

/// What a channel was told, or is to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    pub id: Uuid,
    /// In the channel's order.
    #[serde(skip_serializing)]
    pub place: i64,
    #[serde(deserialize_with = "moment")]
    pub at: DateTime<Utc>,
    pub event: Event,
    pub test: bool,
    pub state: String,
    pub attempts: u32,
    #[serde(deserialize_with = "moment_if_any")]
    pub last_attempt_at: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "moment_if_any")]
    pub next_attempt_at: Option<DateTime<Utc>>,
    pub status: Option<u16>,
    pub reason: Option<String>,
    pub backup_id: Option<Uuid>,
    pub about: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Channels {
    pub channels: Vec<Channel>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ShownChannel {
    pub channel: Channel,
    pub deliveries: Vec<Delivery>,
}

/// A channel, with its secret where that is new.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MadeChannel {
    pub channel: Channel,
    pub secret: Option<String>,
}

/// A message that was asked for.
#[derive(Debug, Clone, Deserialize)]
pub struct AskedTest {
    pub delivery: Uuid,
}

/// What a channel shall be; what is absent stays.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WantedChannel {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<Event>>,
    /// `Null` for every schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_id: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_secret: Option<bool>,
}

/// Oldest first.
pub async fn list_channels(catalog: &Catalog, asker: &Asker) -> Result<Asked<Channels>> {
    let arguments = json!({ "tenant": asker.tenant });
    let function = "rovodev_list_channels";
    ask(catalog, asker, function, &arguments, Repeat::Safely).await
}

/// With up to `limit` deliveries, newest first, before a place in their order.
pub async fn show_channel(
    catalog: &Catalog,
    asker: &Asker,
    id: Uuid,
    limit: usize,
    before: Option<i64>,
) -> Result<Asked<ShownChannel>> {
    let arguments = json!({ "channel": id, "page_size": limit, "before": before });
    let function = "rovodev_show_channel";
    ask(catalog, asker, function, &arguments, Repeat::Safely).await
}

/// The answer holds the secret of a webhook, this once.
pub async fn create_channel(
    catalog: &Catalog,
    asker: &Asker,
    wanted: &WantedChannel,
) -> Result<Asked<MadeChannel>> {
    let arguments = json!({
        "request": wanted, "tenant": asker.tenant, "door": asker.door, "address": asker.address,
    });
    let function = "rovodev_create_channel";
    ask(catalog, asker, function, &arguments, Repeat::Unsent).await
}

pub async fn change_channel(
    catalog: &Catalog,
    asker: &Asker,
    id: Uuid,
    change: &WantedChannel,
) -> Result<Asked<MadeChannel>> {
    let arguments = json!({
        "channel": id, "change": change, "door": asker.door, "address": asker.address,
    });
    let function = "rovodev_change_channel";
    ask(catalog, asker, function, &arguments, Repeat::Unsent).await
}

/// With its log.
pub async fn delete_channel(catalog: &Catalog, asker: &Asker, id: Uuid) -> Result<Asked<Nothing>> {
    let arguments = json!({ "channel": id, "door": asker.door, "address": asker.address });
    let function = "rovodev_delete_channel";
    ask(catalog, asker, function, &arguments, Repeat::Unsent).await
}

/// Writes a test message down, to be sent by [`crate::tasks::notify::test`].
pub async fn test_channel(catalog: &Catalog, asker: &Asker, id: Uuid) -> Result<Asked<AskedTest>> {
    let arguments = json!({ "channel": id, "door": asker.door, "address": asker.address });
    let function = "rovodev_test_channel";
    ask(catalog, asker, function, &arguments, Repeat::Unsent).await
}
