//! What `latest` means: the newest backup that is whole and holds what is asked for.

use super::{Found, is_about_one_backup, newest_first, read};
use crate::core::manifest::{Manifest, SchemaStatus, Trigger};
use crate::error::{Code, Error, Result};
use crate::ports::store::Store;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use uuid::Uuid;

/// Manifests read ahead; the first is nearly always the one.
const AHEAD: usize = 4;

/// Clocks of machines differ by less.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(10);

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
    let mut unreadable = Unreadable::default();
    while let Some(manifest) = manifests.next().await {
        let manifest = match manifest {
            Ok(manifest) if holds(&manifest, wanted) => manifest,
            Ok(manifest) => {
                if or_files && holds(&manifest, Wanted::Config) {
                    files.get_or_insert(manifest);
                }
                continue;
            }
            Err(e) if e.code == Code::BackupNotFound => continue,
            Err(e) if is_about_one_backup(&e) => {
                unreadable.note(e);
                continue;
            }
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
            return Ok(Some(unreadable.found(manifest, note)));
        }
    }
    if let Some(manifest) = rows_alone {
        let newer = partial.filter(|p| p.started_at > manifest.started_at);
        let note = newer.map(|newer| passed_over(&newer, &manifest));
        return Ok(Some(unreadable.found(manifest, note)));
    }
    if let Some(manifest) = partial {
        let note = format!(
            "latest is {:?}, which holds {} alone; there is no backup of the whole database",
            manifest.name, manifest.selection
        );
        return Ok(Some(unreadable.found(manifest, Some(note))));
    }
    Ok(files.map(|manifest| unreadable.found(manifest, None)))
}

/// Newer backups whose manifests cannot be read: they may hold what was asked for.
#[derive(Default)]
struct Unreadable {
    newest: Option<Error>,
    backups: u64,
}

impl Unreadable {
    fn note(&mut self, error: Error) {
        self.newest.get_or_insert(error);
        self.backups += 1;
    }

    /// The latest, with everything there is to say of it.
    fn found(self, manifest: Manifest, note: Option<String>) -> Found {
        let unreadable = self.newest.map(|newest| {
            format!(
                "latest is {:?} of {}; {} cannot be read and passed over: {newest}",
                manifest.name,
                day(manifest.finished_at),
                match self.backups {
                    1 => "a newer backup".to_string(),
                    n => format!("{n} newer backups"),
                }
            )
        });
        let ahead = (manifest.started_at > Utc::now() + CLOCKS_DIFFER).then(|| {
            format!(
                "latest is {:?}, which says that it was made on {}: the clock there was ahead, and what was made since is \
                 passed over (name it to take it, or delete {:?})",
                manifest.name,
                day(manifest.started_at),
                manifest.name
            )
        });
        let doubts = Vec::from_iter([unreadable, ahead].into_iter().flatten());
        Found {
            manifest,
            note,
            doubt: (!doubts.is_empty()).then(|| doubts.join("; ")),
        }
    }
}

fn day(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
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
        day(latest.finished_at),
        newer.name,
    )
}
