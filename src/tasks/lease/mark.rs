//! The marks themselves: who is at work in the store, and until when to believe it.

use crate::core::keys;
use crate::error::{Code, Error, Result};
use crate::ports::store::Store;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use uuid::Uuid;

/// How long a mark lasts unless renewed.
pub const LEASE: TimeDelta = TimeDelta::minutes(10);
/// How far two machines' clocks may be apart: a holder stops this much before the end, and others
/// wait this much after it.
const SKEW: TimeDelta = TimeDelta::minutes(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Holding {
    Backup,
    Prune,
}

/// The content of `started.json` and `prune.lock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    pub holding: Holding,
    /// Unique to one claim.
    pub holder: Uuid,
    pub started_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub tool_version: String,
}

impl Mark {
    pub fn new(holding: Holding, now: DateTime<Utc>) -> Self {
        Self {
            holding,
            holder: Uuid::new_v4(),
            started_at: now,
            expires_at: now + LEASE,
            tool_version: env!("CARGO_PKG_VERSION").to_string(),
        }
    }

    pub fn renewed(&self, now: DateTime<Utc>) -> Self {
        Self {
            expires_at: now + LEASE,
            ..self.clone()
        }
    }

    /// For the holder itself.
    pub fn held_at(&self, now: DateTime<Utc>) -> bool {
        now + SKEW < self.expires_at
    }

    /// For everybody else.
    pub fn live_at(&self, now: DateTime<Utc>) -> bool {
        now < self.expires_at + SKEW
    }

    pub fn to_json(&self) -> Result<Bytes> {
        serde_json::to_vec_pretty(self)
            .map(Bytes::from)
            .map_err(|e| Error::new(Code::Internal, "a claim could not be written").source(e))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.holding {
            Holding::Backup => "a backup",
            Holding::Prune => "a deletion",
        };
        let at = self.started_at.format("%Y-%m-%d %H:%M:%S");
        let until = self.expires_at.format("%H:%M:%S");
        write!(f, "{what} (since {at} UTC, claimed until {until})")
    }
}

pub async fn read(store: &Store, key: &str) -> Result<Option<Mark>> {
    match store.get(key).await {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(mark) => Ok(Some(mark)),
            Err(_) => unreadable(store, key).await,
        },
        Err(e) if e.code == Code::ObjectMissing => Ok(None),
        Err(e) => Err(e),
    }
}

/// A mark that cannot be read counts from when it was stored, so that it ends like any other.
async fn unreadable(store: &Store, key: &str) -> Result<Option<Mark>> {
    let holding = if key == keys::PRUNE_LOCK {
        Holding::Prune
    } else {
        Holding::Backup
    };
    let info = store.head(key).await?;
    Ok(info.map(|o| Mark {
        holder: Uuid::nil(),
        ..Mark::new(holding, o.modified)
    }))
}

pub async fn write(store: &Store, key: &str, mark: &Mark) -> Result<()> {
    store.put_replace(key, mark.to_json()?).await
}

/// Whether the mark under this key is there and has not expired.
pub async fn is_live(store: &Store, key: &str, now: DateTime<Utc>) -> Result<bool> {
    Ok(read(store, key).await?.is_some_and(|m| m.live_at(now)))
}

/// The prune at work, if any.
pub async fn live_prune(store: &Store, now: DateTime<Utc>) -> Result<Option<Mark>> {
    let mark = read(store, keys::PRUNE_LOCK).await?;
    Ok(mark.filter(|m| m.live_at(now)))
}

/// The marks of backups, of any tenant, that are still being written.
pub async fn live_backups(store: &Store, now: DateTime<Utc>) -> Result<Vec<Mark>> {
    let objects = store.list(keys::BACKUPS).await?;
    let done: BTreeSet<_> = objects
        .iter()
        .filter_map(|o| keys::parse_backup(&o.key))
        .filter(|(_, _, rest)| *rest == "manifest.json")
        .map(|(tenant, id, _)| (tenant.to_string(), id))
        .collect();
    let started = objects
        .iter()
        .filter_map(|o| keys::parse_backup(&o.key))
        .filter(|(tenant, id, rest)| {
            *rest == "started.json" && !done.contains(&(tenant.to_string(), *id))
        });
    let keys: Vec<String> = started
        .map(|(tenant, id, _)| keys::started(tenant, id))
        .collect();
    stream::iter(keys)
        .map(|key| async move { read(store, &key).await })
        .buffer_unordered(8)
        .try_filter_map(|mark| async move { Ok(mark.filter(|m| m.live_at(now))) })
        .try_collect()
        .await
}
