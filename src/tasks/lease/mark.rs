//! The marks themselves: who is at work in the store, and until when to believe it.

use crate::core::keys;
use crate::error::{Code, Error, Result};
use crate::ports::store::Store;
use crate::tasks::backups::short_id;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// Marks that are read at the same time.
const READS: usize = 16;

/// How long a mark lasts unless renewed. What died holds the store no longer than this and [`SKEW`].
pub const LEASE: TimeDelta = TimeDelta::minutes(2);
/// A holder stops this much before the end, and others wait this much after it. Clocks may be apart by the sum for a
/// holder that can no longer renew, and by nearly all of [`LEASE`] for one that does.
pub const SKEW: TimeDelta = TimeDelta::seconds(30);

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

    /// For the holder itself: how long the mark is its own; nothing where it is not any more.
    pub fn time_left(&self, now: DateTime<Utc>) -> Option<Duration> {
        let left = (self.expires_at - SKEW - now).to_std().ok();
        left.filter(|left| !left.is_zero())
    }

    /// For everybody else: until when the store is held, unless the mark is renewed.
    pub fn until(&self) -> DateTime<Utc> {
        self.expires_at + SKEW
    }

    pub fn live_at(&self, now: DateTime<Utc>) -> bool {
        now < self.until()
    }

    pub fn to_json(&self) -> Result<Bytes> {
        serde_json::to_vec_pretty(self)
            .map(Bytes::from)
            .map_err(|e| Error::new(Code::Internal, "a claim could not be written").source(e))
    }
}

/// What holds the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    pub holding: Holding,
    /// Of a backup: the id that it will have.
    pub backup: Option<Uuid>,
    pub started_at: DateTime<Utc>,
    /// When others may go ahead, unless the holder lives and puts this off.
    pub until: DateTime<Utc>,
}

impl Holder {
    pub(super) fn of(key: &str, mark: &Mark) -> Self {
        Self {
            holding: mark.holding,
            backup: keys::parse_backup(key).map(|(_, id, _)| id),
            started_at: mark.started_at,
            until: mark.until(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.holding, self.backup) {
            (Holding::Backup, Some(id)) => write!(f, "backup {}", short_id(id))?,
            (Holding::Backup, None) => f.write_str("a backup")?,
            (Holding::Prune, _) => f.write_str("a deletion")?,
        }
        let since = self.started_at.format("%Y-%m-%d %H:%M:%S");
        write!(f, ", at work since {since} UTC")
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
pub async fn live_prune(store: &Store, now: DateTime<Utc>) -> Result<Option<Holder>> {
    let mark = read(store, keys::PRUNE_LOCK).await?;
    let live = mark.filter(|m| m.live_at(now));
    Ok(live.map(|m| Holder::of(keys::PRUNE_LOCK, &m)))
}

/// The backups, of any tenant, that are still being written.
pub async fn live_backups(store: &Store, now: DateTime<Utc>) -> Result<Vec<Holder>> {
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
    live(store, keys, now).await
}

/// Those of these backups that are still being written.
pub async fn live_among(
    store: &Store,
    tenant: &str,
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<Holder>> {
    let keys = ids.iter().map(|id| keys::started(tenant, *id)).collect();
    let mut holders = live(store, keys, now).await?;
    // A mark that was left beside a manifest means nothing.
    for i in (0..holders.len()).rev() {
        if let Some(id) = holders[i].backup
            && store.head(&keys::manifest(tenant, id)).await?.is_some()
        {
            holders.remove(i);
        }
    }
    Ok(holders)
}

async fn live(store: &Store, keys: Vec<String>, now: DateTime<Utc>) -> Result<Vec<Holder>> {
    let marks: Vec<Option<Holder>> = stream::iter(keys)
        .map(|key| async move {
            let mark = read(store, &key).await?.filter(|m| m.live_at(now));
            Ok::<_, Error>(mark.map(|m| Holder::of(&key, &m)))
        })
        .buffered(READS)
        .try_collect()
        .await?;
    Ok(marks.into_iter().flatten().collect())
}
