//! Taking a backup: one snapshot, parallel readers, segments into the store, the manifest last.

mod assemble;
mod buffers;
mod config;
mod owners;
mod platform;
mod reader;
mod reads;
mod rows;
mod schema;
mod scope;
mod selected;
mod snapshot;
mod tids;
mod waiters;
mod writer;

use crate::core::keys;
use crate::core::manifest::{
    BackupType, Codec, FORMAT_VERSION, Manifest, SchemaStatus, Selection, Totals, Trigger, seal,
};
use crate::core::progress::Stage;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::DatabaseUrl;
use crate::ports::store::{Put, Store};
use crate::tasks::Context;
use crate::tasks::lease::Lease;
use crate::tasks::open_store::OpenedStore;
use chrono::{DateTime, Utc};
use serde_json::Map;
use std::path::PathBuf;
use std::time::Duration;
use uuid::Uuid;

/// What to back up.
#[derive(Debug, Clone)]
pub struct CreateRequest {
    /// Given where somebody promised the backup beforehand: a dead attempt at it is taken over. Else a new id.
    pub id: Option<Uuid>,
    /// Needed unless `kind` is `Config`.
    pub database: Option<DatabaseUrl>,
    pub kind: BackupType,
    pub trigger: Trigger,
    pub codec: Codec,
    /// Default: `backup_<UTC time>` as `backup_2025-12-22_14-30-00`.
    pub name: Option<String>,
    pub tenant: String,
    pub selection: Selection,
    /// Where `vercel.json` and `package.json` are.
    pub project: PathBuf,
    /// A pg_dump to use; else the newest usable one that is found.
    pub pg_dump: Option<PathBuf>,
    /// Connections that read rows at the same time.
    pub readers: usize,
    /// How long another session may wait for a lock of ours before the backup gives way.
    pub yield_after: Duration,
}

/// Readers unless asked otherwise.
pub const READERS: usize = 2;
/// Characters of a backup's name.
const LONGEST_NAME: usize = 200;
pub const YIELD_AFTER: Duration = Duration::from_secs(60);

/// Takes a backup and returns its manifest, which is in the store by then.
///
/// # Errors
/// Whatever fails leaves no backup: the manifest is the last write. Segments that were written are found by
/// the next backup, or pruned.
pub async fn create(
    ctx: &Context,
    opened: &OpenedStore,
    request: &CreateRequest,
) -> Result<Manifest> {
    if let Some(name) = &request.name {
        usable(name)?;
    }
    platform::refuse_scope(request)?;
    let id = request.id.unwrap_or_else(Uuid::now_v7);
    let lease = match request.id {
        None => Lease::backup(&opened.store, &request.tenant, id, &ctx.clock).await?,
        Some(_) => Lease::resume_backup(&opened.store, &request.tenant, id, &ctx.clock).await?,
    };
    // Boxed: the futures below are deep, and a door should not have to know.
    let work = Box::pin(async {
        let manifest = collect(ctx, opened, request, id).await?;
        ctx.or_cancelled(assemble::all_exist(&opened.store, &manifest))
            .await?;
        ctx.check()?;
        let written = write_manifest(&opened.store, &manifest);
        lease.while_held(written).await?;
        Ok(manifest)
    });
    let done = work.await;
    if let Err(error) = lease.release().await {
        tracing::warn!(%error, backup = %id, "the claim on the store could not be taken back and will expire");
    }
    done
}

/// Refuses what a backup would refuse at its start: a database that does not answer, rights that are missing, a choice
/// that fits nothing. For before a store is made.
pub async fn beforehand(ctx: &Context, request: &CreateRequest) -> Result<()> {
    if let Some(name) = &request.name {
        usable(name)?;
    }
    platform::refuse_scope(request)?;
    if let Some(url) = &request.database {
        ctx.progress.stage(Stage::Connect, 0);
        snapshot::beforehand(ctx, request, url).await?;
    }
    Ok(())
}

/// A name must find its backup again, and never be taken for an id, a place or `latest`.
pub fn usable(name: &str) -> Result<()> {
    let taken = name == "latest" || Uuid::parse_str(name).is_ok();
    let unfit = name.trim() != name
        || name.is_empty()
        || name.chars().count() > LONGEST_NAME
        || name.contains(|c: char| matches!(c, '/' | '\\') || c.is_control());
    if !taken && !unfit {
        return Ok(());
    }
    Err(Error::new(
        Code::Usage,
        format!("{name:?} cannot be the name of a backup"),
    )
    .hint("Take up to 200 characters without / and \\; neither `latest` nor an id."))
}

async fn collect(
    ctx: &Context,
    opened: &OpenedStore,
    request: &CreateRequest,
    id: Uuid,
) -> Result<Manifest> {
    let mut manifest = empty(request, id, ctx.clock.now());
    // An attempt that was given up may still write: what it names must never be what we wrote, nor ours be its.
    let folder = match request.id {
        None => keys::backup_dir(&request.tenant, id),
        Some(_) => keys::attempt_dir(&request.tenant, id, Uuid::new_v4()),
    };
    if request.kind != BackupType::Config {
        let url = request.database.as_ref().ok_or_else(|| {
            Error::new(Code::Config, "no database is named")
                .hint("Set DATABASE_URL or give --database-url.")
        })?;
        let rows = rows::back_up(ctx, opened, request, url, &folder, &mut manifest);
        Box::pin(rows).await?;
    }
    if request.kind != BackupType::Database && request.trigger != Trigger::Safety {
        ctx.progress.stage(Stage::Config, 0);
        let stored = config::store(&opened.store, &folder, &request.project);
        manifest.config = ctx.or_cancelled(stored).await?;
    }
    ctx.progress.stage(Stage::Finish, 0);
    manifest.finished_at = ctx.clock.now();
    assemble::count(&mut manifest);
    Ok(manifest)
}

fn empty(request: &CreateRequest, id: Uuid, started_at: DateTime<Utc>) -> Manifest {
    let name = request
        .name
        .clone()
        .unwrap_or_else(|| started_at.format("backup_%Y-%m-%d_%H-%M-%S").to_string());
    Manifest {
        format_version: FORMAT_VERSION,
        id,
        name,
        tenant: request.tenant.clone(),
        kind: request.kind,
        trigger: request.trigger,
        parent: None,
        started_at,
        finished_at: started_at,
        tool_version: env!("CARGO_PKG_VERSION").into(),
        codec: request.codec,
        source: None,
        selection: request.selection.clone(),
        schema: schema::without(SchemaStatus::NotIncluded, None),
        tables: Vec::new(),
        sequences: Vec::new(),
        materialized_views: Vec::new(),
        foreign_tables: Vec::new(),
        config: Vec::new(),
        warnings: Vec::new(),
        left_out: Vec::new(),
        totals: Totals::default(),
        unknown: Map::new(),
    }
}

/// The last write of a backup: before it there is no backup, after it there is a whole one.
async fn write_manifest(store: &Store, manifest: &Manifest) -> Result<()> {
    let key = keys::manifest(&manifest.tenant, manifest.id);
    match store.put_new(&key, seal(manifest)?.into()).await? {
        Put::Written => Ok(()),
        Put::Existed => Err(Error::new(
            Code::LeaseExpired,
            format!("another attempt at this backup wrote {key} first"),
        )),
    }
}
