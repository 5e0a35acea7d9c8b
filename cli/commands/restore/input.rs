//! Which backup `--input` means, and where it lies.

use crate::{ask, human, output};
use chrono::{DateTime, Utc};
use rovodev::config::{self, Origin, Settings};
use rovodev::core::keys;
use rovodev::core::manifest::{Manifest, Trigger};
use rovodev::error::{Code, Error, Result};
use rovodev::ports::store::Store;
use rovodev::tasks::backups::{self, Summary, Wanted};
use rovodev::tasks::places;
use std::path::Path;

/// Backups that a person is offered.
const OFFERED: usize = 100;

/// The store, and the backup in it where one is named. A name without a place means the store that is set, whatever
/// else is called so here.
pub async fn place(input: Option<&str>, settings: &Settings) -> Result<(Store, Option<String>)> {
    let Some(input) = input else {
        return Ok((places::store(settings)?, None));
    };
    let store_said = settings.origin(&config::BACKUP_STORE) == Some(Origin::Flag);
    if store_said && input.contains('/') {
        return Err(
            Error::new(Code::Usage, "--store and --input both name a place")
                .hint("Say the place once: --store STORE --input NAME, or --input STORE/NAME."),
        );
    }
    if store_said || !is_path(input) {
        return Ok((places::store(settings)?, Some(input.to_string())));
    }
    let input = input.trim_end_matches('/');
    let at = |location: &str| {
        places::store(
            &settings
                .clone()
                .flag(&config::BACKUP_STORE, Some(location.into())),
        )
    };
    let (parent, last) = split(input);
    if last != "latest" && is_store(&at(input)?).await? {
        return Ok((at(input)?, None));
    }
    Ok((at(parent)?, Some(last.to_string())))
}

pub fn is_path(input: &str) -> bool {
    input.contains('/') || input.starts_with('.')
}

/// Says which was taken where a folder here is called like the backup, and how the folder would be.
pub fn beside_a_folder<T>(input: Option<&str>, found: Result<T>) -> Result<T> {
    let is_folder = |name: &&str| !is_path(name) && Path::new(name).is_dir();
    let Some(name) = input.filter(is_folder) else {
        return found;
    };
    match found {
        Ok(found) => {
            output::note(&format!(
                "{name} is a backup in the store, and is taken; the folder {name} here is --input ./{name}"
            ));
            Ok(found)
        }
        Err(e) if e.code == Code::BackupNotFound => Err(e.hint(format!(
            "To take a backup that lies in the folder {name}, say --input ./{name}/latest."
        ))),
        Err(e) => Err(e),
    }
}

/// `./backups/latest` is `latest` in `./backups`.
fn split(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", last)) => ("/", last),
        Some(parts) => parts,
        None => (".", path),
    }
}

async fn is_store(store: &Store) -> Result<bool> {
    match store.head(keys::FORMAT).await {
        Ok(found) => Ok(found.is_some()),
        Err(e) if e.code == Code::StoreMissing => Ok(false),
        Err(e) => Err(e),
    }
}

/// The backup that is meant; a person is asked where none is named.
pub async fn backup(
    store: &Store,
    tenant: &str,
    what: Option<&str>,
    wanted: Wanted,
    person: bool,
) -> Result<Manifest> {
    match what {
        Some(what) => {
            let found = backups::find_for(store, tenant, what, wanted).await?;
            if let Some(doubt) = found.doubt {
                return Err(doubtful(&found.manifest, doubt));
            }
            found.note.iter().for_each(|note| output::warn(note));
            Ok(found.manifest)
        }
        None if person => choose(store, tenant, wanted).await,
        None => Err(
            Error::new(Code::Usage, "which backup to restore is not said")
                .hint("Name one by --input: latest, a name, or an id; `rovodev list` shows them."),
        ),
    }
}

/// A script that says `latest` means the newest, and would not read a warning.
fn doubtful(latest: &Manifest, doubt: String) -> Error {
    Error::new(Code::ConfirmationNeeded, doubt).hint(format!(
        "Say which backup is meant: --input {}, or another one of `rovodev list`.",
        backups::short_id(latest.id)
    ))
}

/// What `latest` would be is preselected; never a safety backup, which Enter alone would bring back. These come last.
async fn choose(store: &Store, tenant: &str, wanted: Wanted) -> Result<Manifest> {
    let newest = backups::newest(store, tenant, OFFERED).await?.backups;
    let mut usable: Vec<Summary> = newest.into_iter().filter_map(|l| l.manifest.ok()).collect();
    usable.sort_by_key(|m| m.trigger == Trigger::Safety);
    let now = Utc::now();
    let items: Vec<String> = usable.iter().map(|m| item(m, now)).collect();
    if items.is_empty() {
        let message = format!("{} holds no backup", store.describe());
        return Err(
            Error::new(Code::BackupNotFound, message).hint("Make one with `rovodev backup`.")
        );
    }
    let latest = backups::latest(store, tenant, wanted).await?;
    let preselected = latest.and_then(|l| usable.iter().position(|m| m.id == l.manifest.id));
    let chosen = ask::choose("Which backup?", &items, preselected)?;
    backups::read(store, tenant, usable[chosen].id).await
}

fn item(m: &Summary, now: DateTime<Utc>) -> String {
    format!(
        "{}  {}  {}, {}, {}",
        backups::short_id(m.id),
        m.name,
        human::ago(m.finished_at, now),
        m.what_it_holds(),
        human::counted(m.totals.rows, "row")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_paths_from_names() {
        assert!(is_path("./backups/latest") && is_path("s3://b/latest") && is_path("."));
        assert!(!is_path("latest") && !is_path("before-migration"));
        assert_eq!(split("./backups/latest"), ("./backups", "latest"));
        assert_eq!(split("s3://b/p/latest"), ("s3://b/p", "latest"));
        assert_eq!(split("/latest"), ("/", "latest"));
    }
}
