//! One backup by what a person calls it.

use super::{Listed, is_about_one_backup, list, manifests, parse};
use crate::core::keys;
use crate::core::manifest::{Manifest, Trigger};
use crate::error::{Code, During, Error, Result};
use crate::ports::store::Store;
use uuid::Uuid;

const SHORTEST_PREFIX: usize = 4;

/// The manifest of a backup: its id, the first four or more digits of it, its name, or `latest`.
///
/// `latest` is the newest that can be read and is no safety backup: a restore takes one of those
/// just before it, so restoring "the latest" twice would otherwise undo the first.
pub async fn find(store: &Store, tenant: &str, what: &str) -> Result<Manifest> {
    if let Ok(id) = Uuid::parse_str(what) {
        return read(store, tenant, id).await;
    }
    if let Some(id) = by_prefix(store, tenant, what).await? {
        return read(store, tenant, id).await;
    }
    let listed = list(store, tenant).await?;
    let id = if what == "latest" {
        latest(&listed)
    } else {
        by_name(&listed, what)?
    };
    match id {
        Some(id) => read(store, tenant, id).await,
        None => Err(not_found(store, what)),
    }
}

/// The manifest with this id.
pub async fn read(store: &Store, tenant: &str, id: Uuid) -> Result<Manifest> {
    let key = keys::manifest(tenant, id);
    match store.get(&key).await {
        Ok(bytes) => match parse(bytes).await.during(&key)? {
            manifest if manifest.id == id && manifest.tenant == tenant => Ok(manifest),
            // A copy in the wrong folder would hide what the right one needs, and a prune would delete that.
            other => Err(Error::new(
                Code::ManifestDamaged,
                format!(
                    "{key}: it is the manifest of backup {} of {}",
                    other.id, other.tenant
                ),
            )
            .hint("Put the right manifest back from a copy of the store.")),
        },
        Err(e) if e.code == Code::ObjectMissing => Err(not_found(store, &id.to_string())),
        Err(e) => Err(e),
    }
}

/// The newest backup of whole tables that can be read, if any: the parent of the next one. Newest by id,
/// which grows with the time it began, so that few manifests are read.
pub async fn newest_with_rows(store: &Store, tenant: &str) -> Result<Option<Manifest>> {
    let folder = format!("{}{tenant}/", keys::BACKUPS);
    for object in manifests(store, &folder).await?.iter().rev() {
        let Some((_, id, _)) = keys::parse_backup(&object.key) else {
            continue;
        };
        match read(store, tenant, id).await {
            Ok(m) if m.source.is_some() && m.selection.scope.is_none() => return Ok(Some(m)),
            Ok(_) => {}
            Err(e) if is_about_one_backup(&e) || e.code == Code::BackupNotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(None)
}

/// A name may look like an id's digits, so finding none is no error here.
async fn by_prefix(store: &Store, tenant: &str, what: &str) -> Result<Option<Uuid>> {
    let digits = what.to_ascii_lowercase();
    let possible = digits.len() >= SHORTEST_PREFIX
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b) || b == b'-');
    if !possible {
        return Ok(None);
    }
    let folder = format!("{}{tenant}/", keys::BACKUPS);
    let found = manifests(store, &format!("{folder}{digits}")).await?;
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(keys::parse_backup(&one.key).map(|(_, id, _)| id)),
        many => Err(ambiguous(what, many.len())),
    }
}

fn latest(listed: &[Listed]) -> Option<Uuid> {
    let usable = |l: &&Listed| {
        l.manifest
            .as_ref()
            .is_ok_and(|m| m.trigger != Trigger::Safety)
    };
    listed.iter().find(usable).map(|l| l.id)
}

fn by_name(listed: &[Listed], name: &str) -> Result<Option<Uuid>> {
    let named: Vec<Uuid> = listed
        .iter()
        .filter(|l| l.manifest.as_ref().is_ok_and(|m| m.name == name))
        .map(|l| l.id)
        .collect();
    match named.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        many => Err(ambiguous(name, many.len())),
    }
}

fn ambiguous(what: &str, count: usize) -> Error {
    Error::new(Code::Usage, format!("{what:?} fits {count} backups"))
        .hint("Give the whole id; `rovodev list` shows them.")
}

fn not_found(store: &Store, what: &str) -> Error {
    Error::new(
        Code::BackupNotFound,
        format!("there is no backup {what:?} in {}", store.describe()),
    )
    .hint("`rovodev list` shows the backups that are there.")
}
