//! What `latest` means: the newest backup that is whole and holds what is asked for.

use super::{Found, is_about_one_backup, newest_first, read};
use crate::core::manifest::{Manifest, SchemaStatus, Trigger};
use crate::error::{Code, Result};
use crate::ports::store::Store;
use futures_util::{StreamExt, stream};
use uuid::Uuid;

/// Manifests read ahead; the first is nearly always the one.
const AHEAD: usize = 4;

/// What a backup has to hold to be the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The database where a backup holds it, else files of the project.
    Anything,
    Database,
    Config,
    Both,
    /// A database to be made anew: one with definitions goes before one of rows alone.
    NewDatabase,
    /// The same, and files of the project.
    NewDatabaseAndConfig,
}

impl Wanted {
    fn needs_definitions(self) -> bool {
        matches!(self, Wanted::NewDatabase | Wanted::NewDatabaseAndConfig)
    }
}

/// The newest backup that can be read, is no safety backup, and holds what is wanted. A whole one goes before one of
/// chosen schemas, tables or rows, however new that is; the note says so where it matters.
///
/// A restore takes a safety backup just before it, so restoring "the latest" twice would otherwise undo the first.
pub async fn latest(store: &Store, tenant: &str, wanted: Wanted) -> Result<Option<Found>> {
    let ids = newest_first(store, tenant).await?;
    latest_of(store, tenant, &ids, wanted).await
}

/// The same among these ids, the newest first.
pub async fn latest_of(
    store: &Store,
    tenant: &str,
    ids: &[Uuid],
    wanted: Wanted,
) -> Result<Option<Found>> {
    let (wanted, or_files) = match wanted {
        Wanted::Anything => (Wanted::Database, true),
        wanted => (wanted, false),
    };
    let mut files = None;
    let mut manifests = stream::iter(ids.to_vec())
        .map(|id| read(store, tenant, id))
        .buffered(AHEAD);
    let (mut rows_alone, mut partial): (Option<Manifest>, Option<Manifest>) = (None, None);
    while let Some(manifest) = manifests.next().await {
        let manifest = match manifest {
            Ok(manifest) if holds(&manifest, wanted) => manifest,
            Ok(manifest) => {
                if or_files && holds(&manifest, Wanted::Config) {
                    files.get_or_insert(manifest);
                }
                continue;
            }
            Err(e) if is_about_one_backup(&e) || e.code == Code::BackupNotFound => continue,
            Err(e) => return Err(e),
        };
        // A choice of tables says nothing about files.
        if wanted != Wanted::Config && !manifest.selection.is_whole() {
            partial.get_or_insert(manifest);
        } else if wanted.needs_definitions() && manifest.schema.status != SchemaStatus::Captured {
            rows_alone.get_or_insert(manifest);
        } else {
            let newer = rows_alone.as_ref().or(partial.as_ref());
            let note = newer.map(|newer| passed_over(newer, &manifest));
            return Ok(Some(Found { manifest, note }));
        }
    }
    if let Some(manifest) = rows_alone {
        let newer = partial.filter(|p| p.started_at > manifest.started_at);
        let note = newer.map(|newer| passed_over(&newer, &manifest));
        return Ok(Some(Found { manifest, note }));
    }
    let partial = partial.map(|manifest| Found {
        note: Some(format!(
            "latest is {:?}, which holds {} alone; there is no backup of the whole database",
            manifest.name, manifest.selection
        )),
        manifest,
    });
    Ok(partial.or(files.map(|manifest| Found {
        manifest,
        note: None,
    })))
}

fn holds(manifest: &Manifest, wanted: Wanted) -> bool {
    let database = manifest.source.is_some();
    let config = !manifest.config.is_empty();
    manifest.trigger != Trigger::Safety
        && match wanted {
            Wanted::Anything => database || config,
            Wanted::Database | Wanted::NewDatabase => database,
            Wanted::Config => config,
            Wanted::Both | Wanted::NewDatabaseAndConfig => database && config,
        }
}

fn passed_over(newer: &Manifest, latest: &Manifest) -> String {
    let lacks = match newer.selection.is_whole() {
        true => "holds no table definitions".into(),
        false => format!("holds {} alone", newer.selection),
    };
    format!(
        "latest is {:?} of {}; the newer {:?} {lacks} and was passed over (name it to take it)",
        latest.name,
        latest.finished_at.format("%Y-%m-%d %H:%M:%S UTC"),
        newer.name,
    )
}
