//! Which backups a store holds.

mod find;
mod summary;

pub use find::{find, newest_with_rows, read};
pub use summary::{Listed, Summary};

use crate::core::{keys, manifest};
use crate::error::{Code, Error, Result};
use crate::ports::store::{ObjectInfo, Store};
use futures_util::{StreamExt, TryStreamExt, stream};

/// Enough to hide a store's latency; a thousand backups take about two seconds at 30 ms each.
const READS: usize = 16;

/// Every backup of a tenant, newest first. A manifest that cannot be read is listed as damaged.
pub async fn list(store: &Store, tenant: &str) -> Result<Vec<Listed>> {
    let folder = format!("{}{tenant}/", keys::BACKUPS);
    let found: Vec<Option<Listed>> = stream::iter(manifests(store, &folder).await?)
        .map(|object| listed(store, object))
        .buffer_unordered(READS)
        .try_collect()
        .await?;
    let mut listed: Vec<Listed> = found.into_iter().flatten().collect();
    listed.sort_by_key(|l| std::cmp::Reverse((l.finished_at(), l.id)));
    Ok(listed)
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
