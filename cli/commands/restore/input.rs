//! Which backup `--input` means, and where it lies.

use super::super::TENANT;
use crate::{ask, human};
use chrono::Utc;
use rovodev::config::{self, Settings};
use rovodev::core::keys;
use rovodev::core::manifest::Manifest;
use rovodev::error::{Code, Error, Result};
use rovodev::ports::store::Store;
use rovodev::tasks::{backups, places};
use std::path::Path;

/// Backups that a person is offered.
const OFFERED: usize = 100;

/// The store, and the backup in it where one is named.
pub async fn place(input: Option<&str>, settings: &Settings) -> Result<(Store, Option<String>)> {
    let Some(input) = input else {
        return Ok((places::store(settings)?, None));
    };
    if !is_path(input) {
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

fn is_path(input: &str) -> bool {
    input.contains('/') || input.starts_with('.') || Path::new(input).is_dir()
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
pub async fn backup(store: &Store, what: Option<&str>, person: bool) -> Result<Manifest> {
    match what {
        Some(what) => backups::find(store, TENANT, what).await,
        None if person => choose(store).await,
        None => Err(
            Error::new(Code::Usage, "which backup to restore is not said")
                .hint("Name one by --input: latest, a name, or an id; `rovodev list` shows them."),
        ),
    }
}

async fn choose(store: &Store) -> Result<Manifest> {
    let now = Utc::now();
    let mut usable = backups::list(store, TENANT).await?;
    usable.retain(|l| l.manifest.is_ok());
    usable.truncate(OFFERED);
    let items: Vec<String> = usable
        .iter()
        .filter_map(|l| l.manifest.as_ref().ok())
        .map(|m| {
            let age = human::ago(m.finished_at, now);
            format!(
                "{}  {age}, {}",
                m.name,
                human::counted(m.totals.rows, "row")
            )
        })
        .collect();
    if items.is_empty() {
        let message = format!("{} holds no backup", store.describe());
        return Err(
            Error::new(Code::BackupNotFound, message).hint("Make one with `rovodev backup`.")
        );
    }
    let chosen = ask::choose("Which backup?", &items)?;
    backups::read(store, TENANT, usable[chosen].id).await
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
