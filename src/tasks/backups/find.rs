//! One backup by what a person calls it.

use super::latest::{Wanted, latest};
use super::{Listed, is_about_one_backup, list, newest_first, parse, short_id};
use crate::core::keys;
use crate::core::manifest::Manifest;
use crate::error::{Code, During, Error, Result};
use crate::ports::store::Store;
use uuid::Uuid;

/// Digits of an id that name a backup, at its beginning or its end.
const FEWEST_DIGITS: usize = 4;
/// Candidates that an ambiguous name lists.
const LISTED: usize = 10;

/// A backup, and what to tell the person who asked for it.
#[derive(Debug)]
pub struct Found {
    pub manifest: Manifest,
    /// Why `latest` is not the newest, or not all.
    pub note: Option<String>,
    /// Why `latest` may not be what is meant: newer backups cannot be read, or it is of a time to come.
    pub doubt: Option<String>,
}

/// The manifest of a backup, whatever it holds. See [`find_for`].
pub async fn find(store: &Store, tenant: &str, what: &str) -> Result<Manifest> {
    let found = find_for(store, tenant, what, Wanted::Anything).await?;
    Ok(found.manifest)
}

/// A backup by `latest` (see [`latest`]), its id, its name, or four or more digits of its id: the first, the last, or
/// the first of those that [`short_id`] shows.
/// A name goes before digits, since people choose names.
pub async fn find_for(store: &Store, tenant: &str, what: &str, wanted: Wanted) -> Result<Found> {
    if what == "latest" {
        let found = latest(store, tenant, wanted).await?;
        return found.ok_or_else(|| no_latest(store, wanted));
    }
    let id = id_of(store, tenant, what).await?;
    let manifest = read(store, tenant, id).await?;
    Ok(Found {
        manifest,
        note: None,
        doubt: None,
    })
}

/// The id of a backup by its id, name or digits, also where its manifest is damaged.
pub async fn id_of(store: &Store, tenant: &str, what: &str) -> Result<Uuid> {
    if let Ok(id) = Uuid::parse_str(what) {
        return Ok(id);
    }
    let all = list(store, tenant).await?;
    let called = |l: &&Listed| l.manifest.as_ref().is_ok_and(|m| m.name == what);
    let mut fitting: Vec<&Listed> = all.iter().filter(called).collect();
    if fitting.is_empty() {
        fitting = all.iter().filter(|l| has_digits(l.id, what)).collect();
    }
    match fitting.as_slice() {
        [] => Err(not_found(store, what)),
        [one] => Ok(one.id),
        many => Err(ambiguous(what, many)),
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

/// The newest backup of whole tables that can be read, if any: the parent of the next one. Few manifests are read.
pub async fn newest_with_rows(store: &Store, tenant: &str) -> Result<Option<Manifest>> {
    for id in newest_first(store, tenant).await? {
        match read(store, tenant, id).await {
            Ok(m) if m.source.is_some() && m.selection.scope.is_none() => return Ok(Some(m)),
            Ok(_) => {}
            Err(e) if is_about_one_backup(&e) || e.code == Code::BackupNotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(None)
}

/// Whether these are four or more digits at the beginning or end of an id, or of the end that lists show.
pub fn has_digits(id: Uuid, what: &str) -> bool {
    let digits = what.to_ascii_lowercase();
    let (hyphened, simple) = (id.to_string(), id.simple().to_string());
    let at_an_end = |id: &str| id.starts_with(&digits) || id.ends_with(&digits);
    let shown = short_id(id).starts_with(&digits);
    digits.len() >= FEWEST_DIGITS && (shown || at_an_end(&hyphened) || at_an_end(&simple))
}

fn ambiguous(what: &str, fitting: &[&Listed]) -> Error {
    let mut lines: Vec<String> = fitting.iter().take(LISTED).map(|l| line(l)).collect();
    if fitting.len() > LISTED {
        lines.push(format!("and {} older ones", fitting.len() - LISTED));
    }
    let message = format!(
        "{what:?} fits {} backups:\n  {}",
        fitting.len(),
        lines.join("\n  ")
    );
    Error::new(Code::Usage, message).hint("Give the digits in front of the one that is meant.")
}

fn line(listed: &Listed) -> String {
    let time = listed.finished_at.format("%Y-%m-%d %H:%M:%S UTC");
    let rest = match &listed.manifest {
        Ok(summary) => format!("{}  {}", summary.what_it_holds(), summary.name),
        Err(e) => e.code.as_str().to_string(),
    };
    format!("{}  {time}  {rest}", short_id(listed.id))
}

fn no_latest(store: &Store, wanted: Wanted) -> Error {
    let what = match wanted {
        Wanted::Anything => "backup",
        Wanted::Database | Wanted::NewDatabase => "backup of a database",
        Wanted::Config => "backup of the project's files",
        Wanted::Both | Wanted::NewDatabaseAndConfig => {
            "backup of both a database and the project's files"
        }
    };
    Error::new(
        Code::BackupNotFound,
        format!("there is no {what} in {} yet", store.describe()),
    )
    .hint("`rovodev list` shows the backups that are there; safety backups have to be named.")
}

/// The store is empty, or is still to be made.
pub fn none_yet(store: &Store) -> Error {
    Error::new(
        Code::BackupNotFound,
        format!("there is no backup in {} yet", store.describe()),
    )
    .hint("`rovodev backup` makes the first. Where there should be some, check the place: --store or BACKUP_STORE.")
}

fn not_found(store: &Store, what: &str) -> Error {
    Error::new(
        Code::BackupNotFound,
        format!("there is no backup {what:?} in {}", store.describe()),
    )
    .hint("`rovodev list` shows the backups that are there.")
}
