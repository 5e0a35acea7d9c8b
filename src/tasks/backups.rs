//! Which backups a store holds.

mod find;
mod latest;
mod summary;

pub use find::{Found, find, find_for, has_digits, id_of, newest_with_rows, none_yet, read};
pub use latest::{Wanted, latest, latest_of};
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
#[derive(Default)]
pub struct Newest {
    /// Folders of backups that were not read count as one each, whether or not their backup was ever completed.
    pub total: usize,
    pub backups: Vec<Listed>,
    /// Of those that were read, what was not wanted.
    pub passed_over: usize,
}

/// Every backup of a tenant, newest first. A manifest that cannot be read is listed as damaged.
pub async fn list(store: &Store, tenant: &str) -> Result<Vec<Listed>> {
    Ok(newest(store, tenant, usize::MAX).await?.backups)
}

/// At most `limit` backups of a tenant, newest first; the manifests of the others are not read.
pub async fn newest(store: &Store, tenant: &str, limit: usize) -> Result<Newest> {
    newest_of(store, tenant, limit, |_| true).await
}

/// The same among those that are wanted.
pub async fn newest_of(
    store: &Store,
    tenant: &str,
    limit: usize,
    wanted: impl Fn(&Listed) -> bool,
) -> Result<Newest> {
    let mut left = newest_first(store, tenant).await?.into_iter();
    let (mut backups, mut passed_over) = (Vec::new(), 0);
    // Again for as many as turned out to be no backups, or not wanted.
    while backups.len() < limit && left.len() > 0 {
        let next: Vec<Uuid> = left.by_ref().take(limit - backups.len()).collect();
        let found: Vec<Option<Listed>> = stream::iter(next)
            .map(|id| listed(store, tenant, id))
            .buffered(READS)
            .try_collect()
            .await?;
        let (chosen, others): (Vec<_>, Vec<_>) = found.into_iter().flatten().partition(&wanted);
        passed_over += others.len();
        backups.extend(chosen);
    }
    Ok(Newest {
        total: backups.len() + passed_over + left.len(),
        backups,
        passed_over,
    })
}

/// The end of an id, which tells backups apart: their beginnings are the time, and alike.
pub fn short_id(id: Uuid) -> String {
    let digits = id.simple().to_string();
    digits[digits.len() - SHORT..].to_string()
}

/// The ids of a tenant's backups, the newest first, and among them those of backups that are on their way, died or are
/// being deleted: what lies in their folders is not looked at.
pub async fn newest_first(store: &Store, tenant: &str) -> Result<Vec<Uuid>> {
    let folders = store.folders(&keys::tenant_dir(tenant)).await?;
    // Only what we write ourselves: in lower case, with hyphens.
    let ids = folders.iter().filter_map(|name| {
        let id = Uuid::parse_str(name).ok()?;
        (id.to_string() == *name).then_some(id)
    });
    let mut begun: Vec<(DateTime<Utc>, Uuid)> = Vec::new();
    let mut untold = Vec::new();
    for id in ids {
        match begun_at(id) {
            Some(time) => begun.push((time, id)),
            None => untold.push(id),
        }
    }
    let stored: Vec<Option<(DateTime<Utc>, Uuid)>> = stream::iter(untold)
        .map(|id| async move {
            let manifest = store.head(&keys::manifest(tenant, id)).await?;
            Ok::<_, Error>(manifest.map(|m| (m.modified, id)))
        })
        .buffered(READS)
        .try_collect()
        .await?;
    begun.extend(stored.into_iter().flatten());
    begun.sort_unstable_by(|a, b| b.cmp(a));
    Ok(begun.into_iter().map(|(_, id)| id).collect())
}

/// When a backup began, which is the moment of its snapshot but for a little: ids of version 7 tell it, whatever a
/// copy of the store did to the times of its files. Of another version, when its manifest was stored has to do.
fn begun_at(id: Uuid) -> Option<DateTime<Utc>> {
    let told = (id.get_version_num() == 7).then(|| id.get_timestamp());
    let (seconds, nanos) = told.flatten()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
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

/// `None` where there is no manifest: the backup is on its way, died or was deleted.
async fn listed(store: &Store, tenant: &str, id: Uuid) -> Result<Option<Listed>> {
    let (finished_at, manifest) = match read(store, tenant, id).await {
        Ok(manifest) => (manifest.finished_at, Ok(Summary::of(&manifest))),
        Err(e) if e.code == Code::BackupNotFound => return Ok(None),
        Err(e) if is_about_one_backup(&e) => match store.head(&keys::manifest(tenant, id)).await? {
            Some(stored) => (stored.modified, Err(e)),
            None => return Ok(None),
        },
        Err(e) => return Err(e),
    };
    Ok(Some(Listed {
        id,
        tenant: tenant.to_string(),
        finished_at,
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
