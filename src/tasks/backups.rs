//! Which backups a store holds.

mod find;
mod latest;
mod summary;

pub use find::{Found, find, find_for, has_digits, id_of, newest_with_rows, read};
pub use latest::{Wanted, latest};
pub use summary::{Listed, SchemaSummary, Summary};

use crate::core::{keys, manifest};
use crate::error::{Code, Error, Result};
use crate::ports::store::{ObjectInfo, Store};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

/// Enough to hide a store's latency; a thousand backups take about two seconds at 30 ms each.
const READS: usize = 16;
/// Digits that tell one backup from ten thousand others.
const SHORT: usize = 8;

/// The newest backups of a tenant, and how many there are in all.
pub struct Newest {
    pub total: usize,
    pub backups: Vec<Listed>,
}

/// Every backup of a tenant, newest first. A manifest that cannot be read is listed as damaged.
pub async fn list(store: &Store, tenant: &str) -> Result<Vec<Listed>> {
    Ok(newest(store, tenant, usize::MAX).await?.backups)
}

/// At most `limit` backups of a tenant, newest first; the manifests of the others are not read.
pub async fn newest(store: &Store, tenant: &str, limit: usize) -> Result<Newest> {
    let objects = newest_first(store, tenant).await?;
    let total = objects.len();
    let found: Vec<Option<Listed>> = stream::iter(objects.into_iter().take(limit))
        .map(|object| listed(store, object))
        .buffered(READS)
        .try_collect()
        .await?;
    Ok(Newest {
        total,
        backups: found.into_iter().flatten().collect(),
    })
}

/// The end of an id, which tells backups apart: their beginnings are the time, and alike.
pub fn short_id(id: Uuid) -> String {
    let digits = id.simple().to_string();
    digits[digits.len() - SHORT..].to_string()
}

/// The manifests of a tenant, the newest backup first.
async fn newest_first(store: &Store, tenant: &str) -> Result<Vec<ObjectInfo>> {
    let folder = format!("{}{tenant}/", keys::BACKUPS);
    let mut objects = manifests(store, &folder).await?;
    objects.sort_by_cached_key(|o| {
        let id = keys::parse_backup(&o.key).map(|(_, id, _)| id);
        std::cmp::Reverse((id.map(|id| begun_at(id, o.modified)), id))
    });
    Ok(objects)
}

/// When a backup began, which is the moment of its snapshot but for a little: ids of version 7 tell it, whatever a
/// copy of the store did to the times of its files. Of another version: when its manifest was stored.
fn begun_at(id: Uuid, modified: DateTime<Utc>) -> DateTime<Utc> {
    let told = (id.get_version_num() == 7).then(|| id.get_timestamp());
    let (seconds, nanos) = match told.flatten() {
        Some(time) => time.to_unix(),
        None => return modified,
    };
    i64::try_from(seconds)
        .ok()
        .and_then(|s| DateTime::from_timestamp(s, nanos))
        .unwrap_or(modified)
}

/// The objects that are manifests below `folder`.
pub(super) async fn manifests(store: &Store, folder: &str) -> Result<Vec<ObjectInfo>> {
    let mut objects = store.list(folder).await?;
    objects.retain(|o| {
        keys::parse_backup(&o.key)
            .is_some_and(|(tenant, id, _)| o.key == keys::manifest(tenant, id))
    });
    Ok(objects)
}

/// `None` where the backup was deleted meanwhile.
async fn listed(store: &Store, object: ObjectInfo) -> Result<Option<Listed>> {
    let Some((tenant, id, _)) = keys::parse_backup(&object.key) else {
        return Ok(None);
    };
    let manifest = match read(store, tenant, id).await {
        Ok(manifest) => Ok(Summary::of(&manifest)),
        Err(e) if e.code == Code::BackupNotFound => return Ok(None),
        Err(e) if is_about_one_backup(&e) => Err(e),
        Err(e) => return Err(e),
    };
    Ok(Some(Listed {
        id,
        tenant: tenant.to_string(),
        modified: object.modified,
        manifest,
    }))
}

/// Whether the store is fine and only this manifest is not.
fn is_about_one_backup(e: &Error) -> bool {
    matches!(e.code, Code::ManifestDamaged | Code::FormatTooNew)
}

/// Parses off the async threads: a manifest of thousands of tables has megabytes.
pub(super) async fn parse(bytes: bytes::Bytes) -> Result<manifest::Manifest> {
    tokio::task::spawn_blocking(move || manifest::open(&bytes))
        .await
        .map_err(|e| Error::new(Code::Internal, "reading a manifest stopped").source(e))?
}
