//! One question to each part.

use super::{
    CatalogFound, LastBackup, NewestFound, Patience, PgDumpFound, Probe, StoreFound, within,
};
use crate::config::{self, Settings};
use crate::core::keys;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::overview::{Overview, overview};
use crate::ports::postgres::{PgDump, Purpose, Session};
use crate::ports::store::{Access, ObjectInfo, Store};
use crate::tasks::backups::{self, Found, Wanted};
use crate::tasks::lease::{self, Holder};
use crate::tasks::operators::Operator;
use crate::tasks::restore::in_place::{self, Operation};
use crate::tasks::{Clock, Context, open_store, places};
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

/// How many of the newest backups are asked whether they are still on their way.
const LOOKED_AT: usize = 16;
/// A store of more backups than this is not counted object by object.
const COUNTED: usize = 1000;
/// Counting every object of a store is worth this long.
const COUNTING: Duration = Duration::from_millis(150);

/// pg_dump is judged by the server's version, so the server is asked first.
pub async fn source_and_pg_dump(
    settings: &Settings,
    limit: Duration,
    each_table: bool,
) -> (Probe<Overview>, Probe<PgDumpFound>) {
    let source = source(settings, limit, each_table).await;
    let server = source.ok().map_or(0, |o| o.server_version_num);
    let found = pg_dump(settings, server);
    let pg_dump = within(limit, Code::PgDumpFailed, "pg_dump", found).await;
    (source, pg_dump)
}

pub async fn source(settings: &Settings, limit: Duration, each_table: bool) -> Probe<Overview> {
    let asked = async {
        let session = Session::connect(&places::source(settings)?, Purpose::Read).await?;
        overview(&session, each_table).await
    };
    within(limit, Code::DatabaseUnreachable, "the database", asked).await
}

async fn pg_dump(settings: &Settings, server_version_num: u32) -> Result<PgDumpFound> {
    let explicit = settings.get(&config::PG_DUMP).map(Path::new);
    let found = PgDump::find(explicit, server_version_num).await;
    let found = found.map_err(|none| {
        Error::new(Code::PgDumpFailed, none.reason).hint(
            "Install PostgreSQL's client tools in the server's version or newer, or name a pg_dump by PG_DUMP.",
        )
    })?;
    Ok(PgDumpFound {
        version: found.version().to_string(),
        path: found.path().display().to_string(),
        major: found.major(),
    })
}

/// Asked as operators ask; none where nobody keeps a catalog.
pub async fn catalog(settings: &Settings, limit: Duration) -> Option<Probe<CatalogFound>> {
    let url = settings.get(&config::SUPABASE_URL)?;
    let operator = match Operator::new(settings, String::new()) {
        Ok(operator) => operator?,
        Err(error) => return Some(Probe::Error(error)),
    };
    let found = async {
        let (backups, newest) = operator.backups(1, 0).await?;
        Ok(CatalogFound {
            url: config::shown(url),
            tenant: settings.require(&config::ROVODEV_TENANT)?.to_string(),
            backups,
            newest: newest.into_iter().next().map(|row| NewestFound {
                id: row.id,
                at: row.finished_at.unwrap_or(row.created_at),
                name: row.name,
                status: row.status,
            }),
        })
    };
    Some(within(limit, Code::CatalogUnreachable, "the catalog", found).await)
}

/// On a connection of its own, so that neither waits for the other.
pub async fn undoable(settings: &Settings, limit: Duration) -> Probe<Vec<Operation>> {
    let found = async { in_place::undoable(&places::source(settings)?).await };
    within(
        limit,
        Code::DatabaseUnreachable,
        "the list of restores",
        found,
    )
    .await
}

pub async fn store(settings: &Settings, patience: Patience) -> Probe<StoreFound> {
    let key = settings.get(&config::STORE_KEY);
    let tenant = settings.get(&config::ROVODEV_TENANT);
    let tenant = tenant.unwrap_or(keys::DEFAULT_TENANT);
    let found = async {
        let store = places::store(settings)?;
        // The first backup makes the directory; until then it is an empty store.
        if !store.is_there().await? {
            store.could_be_made().await?;
            return Ok(StoreFound {
                location: store.describe(),
                backups: 0,
                bytes: Some(0),
                last_backup: None,
                held_by: Vec::new(),
                unwritable: open_store::fitting_key(&store, key).await.err(),
            });
        }
        store.reach(patience.reach).await?;
        look_into(&store, tenant, key).await
    };
    let named = places::store(settings).map(|store| store.describe());
    let part = named.unwrap_or_else(|_| "the store".into());
    within(patience.part, Code::StoreUnreachable, &part, found).await
}

/// What a store holds, and whether a backup could be written with this `STORE_KEY`. However many backups there are,
/// only the newest are read.
pub async fn look_into(store: &Store, tenant: &str, key: Option<&str>) -> Result<StoreFound> {
    let (ids, writable) = tokio::join!(
        backups::newest_first(store, tenant),
        store.probe(Access::Write)
    );
    let ids = ids?;
    usable(store, ids.len()).await?;
    let (latest, held_by, fits, counted) = tokio::join!(
        backups::latest_of(store, tenant, &ids, Wanted::Anything),
        holders(store, tenant, &ids),
        open_store::fitting_key(store, key),
        count(store, ids.len())
    );
    Ok(StoreFound {
        location: store.describe(),
        backups: counted.map_or(ids.len() as u64, |c| c.backups),
        bytes: counted.map(|c| c.bytes),
        last_backup: latest?.map(last),
        held_by: held_by?,
        unwritable: writable.and(fits).err(),
    })
}

/// A backup that is on its way is among the newest.
async fn holders(store: &Store, tenant: &str, ids: &[Uuid]) -> Result<Vec<Holder>> {
    let now = Clock::default().now();
    let newest = &ids[..ids.len().min(LOOKED_AT)];
    let (prune, backups) = tokio::join!(
        lease::live_prune(store, now),
        lease::live_among(store, tenant, newest, now)
    );
    Ok(prune?.into_iter().chain(backups?).collect())
}

/// A store with backups whose `format.json` is gone or damaged serves no command. An empty one is made on first use.
async fn usable(store: &Store, backups: usize) -> Result<()> {
    if backups == 0 && store.head(keys::FORMAT).await?.is_none() {
        return Ok(());
    }
    open_store::open_to_read(&Context::default(), store, None)
        .await
        .map(drop)
}

fn is_manifest(object: &ObjectInfo) -> bool {
    matches!(
        keys::parse_backup(&object.key),
        Some((_, _, "manifest.json"))
    )
}

#[derive(Clone, Copy)]
struct Counted {
    backups: u64,
    bytes: u64,
}

/// `None` where that would take too long.
async fn count(store: &Store, folders: usize) -> Option<Counted> {
    if folders > COUNTED {
        return None;
    }
    let all = tokio::time::timeout(COUNTING, store.list("")).await;
    let all = all.ok()?.ok()?;
    Some(Counted {
        backups: all.iter().filter(|o| is_manifest(o)).count() as u64,
        bytes: all.iter().map(|o| o.bytes).sum(),
    })
}

fn last(
    Found {
        manifest, doubt, ..
    }: Found,
) -> LastBackup {
    LastBackup {
        id: manifest.id,
        name: manifest.name,
        finished_at: manifest.finished_at,
        selection: manifest.selection,
        warnings: manifest.warnings,
        doubt,
    }
}
