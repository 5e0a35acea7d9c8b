//! Is every stored object still what was written?

mod contents;
mod damage;
mod report;

pub use damage::{Damage, Example};
pub use report::{CheckReport, Problem};

use super::open_store::ReadableStore;
use super::{Context, backups};
use crate::core::keys;
use crate::core::manifest::Manifest;
use crate::core::progress::Stage;
use crate::error::{Code, Error, Result};
use contents::{Contents, Item, verify};
use futures_util::{StreamExt, stream};
use std::time::Instant;
use uuid::Uuid;

/// Each holds one object, stored and decompressed: about ten megabytes.
const PARALLEL: usize = 6;

/// Checks the given backups of a tenant; with none given, every backup of every tenant.
///
/// Every object's length, hash and decompression are checked, and with the store's key also each
/// segment's id, row count and row sums. A store that stops answering is an error, not a problem.
pub async fn check(
    ctx: &Context,
    store: &ReadableStore,
    tenant: &str,
    ids: &[Uuid],
) -> Result<CheckReport> {
    ctx.progress.stage(Stage::Plan, 0);
    let wanted = wanted(store, tenant, ids).await?;
    let mut report = CheckReport {
        rows_compared: store.keys.is_some(),
        wrong_key: store.wrong_key.as_ref().map(ToString::to_string),
        ..CheckReport::default()
    };
    let mut contents = Contents::default();
    for (tenant, id) in &wanted {
        ctx.check()?;
        match backups::read(&store.store, tenant, *id).await {
            Ok(manifest) => {
                report.backups += 1;
                contents.add(&manifest);
            }
            Err(e) if is_problem(&e) => report.manifest(tenant, *id, &e),
            Err(e) => return Err(e),
        }
    }
    ctx.progress.stage(Stage::Compare, contents.raw_bytes());
    let known = report.problems.len();
    check_objects(ctx, store, contents.into_items(), None, &mut report).await?;
    let broken = &mut report.problems[known..];
    if !broken.is_empty() {
        name_tables(store, &wanted, broken).await?;
    }
    Ok(report)
}

/// Checks one backup, without the objects that `report` counts already, until all are read, or one after `until` has come.
/// Whether all are; what was read before an error is in the report.
pub async fn check_on(
    ctx: &Context,
    store: &ReadableStore,
    tenant: &str,
    id: Uuid,
    until: Option<Instant>,
    report: &mut CheckReport,
) -> Result<bool> {
    let manifest = match ctx
        .or_cancelled(backups::read(&store.store, tenant, id))
        .await
    {
        Ok(manifest) => manifest,
        Err(e) if is_lost(&e) => {
            report.manifest(tenant, id, &e);
            return Ok(true);
        }
        Err(e) => return Err(e),
    };
    let mut contents = Contents::default();
    contents.add(&manifest);
    let known = report.problems.len();
    let before = usize::try_from(report.objects).unwrap_or(usize::MAX);
    let items = contents.into_items().skip(before);
    let ended = check_objects(ctx, store, items, until, report).await;
    for broken in &mut report.problems[known..] {
        broken.concerns(&manifest);
    }
    ended
}

async fn wanted(store: &ReadableStore, tenant: &str, ids: &[Uuid]) -> Result<Vec<(String, Uuid)>> {
    if !ids.is_empty() {
        return Ok(ids.iter().map(|id| (tenant.to_string(), *id)).collect());
    }
    let all = backups::manifests(&store.store, keys::BACKUPS).await?;
    let parsed = all.iter().filter_map(|o| keys::parse_backup(&o.key));
    Ok(parsed
        .map(|(tenant, id, _)| (tenant.to_string(), id))
        .collect())
}

/// In their order, so that what the report counts are the first ones. Whether all were read.
async fn check_objects(
    ctx: &Context,
    store: &ReadableStore,
    items: impl Iterator<Item = Item>,
    until: Option<Instant>,
    report: &mut CheckReport,
) -> Result<bool> {
    let mut checks = stream::iter(items)
        .map(|item| async {
            let verified = match verify(store, &item).await {
                // A bit may have flipped on the way.
                Err(e) if is_problem(&e) => verify(store, &item).await,
                verified => verified,
            };
            (item, verified)
        })
        .buffered(PARALLEL);
    while let Some((item, verified)) = ctx.or_cancelled(async { Ok(checks.next().await) }).await? {
        let problem = match verified {
            Ok(()) => None,
            Err(e) if is_problem(&e) => Some(Problem::new(item.key.clone(), &e)),
            Err(e) => return Err(e),
        };
        report.objects += 1;
        report.bytes += item.stored_bytes();
        ctx.progress.add(&item.what, item.rows(), item.raw_bytes());
        report.problems.extend(problem);
        if until.is_some_and(|until| Instant::now() >= until) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Goes through the manifests once more, since few checks find anything.
async fn name_tables(
    store: &ReadableStore,
    wanted: &[(String, Uuid)],
    broken: &mut [Problem],
) -> Result<()> {
    for (tenant, id) in wanted {
        match backups::read(&store.store, tenant, *id).await {
            Ok(manifest) => broken.iter_mut().for_each(|p| p.concerns(&manifest)),
            Err(e) if is_problem(&e) => {}
            Err(e) => return Err(e),
        }
    }
    broken.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(())
}

/// What a backup that the catalog knows is damaged by: its manifest is there, for nobody took it away, and this program
/// reads it.
fn is_lost(e: &Error) -> bool {
    e.code == Code::BackupNotFound || (is_problem(e) && e.code != Code::FormatTooNew)
}

fn is_problem(e: &Error) -> bool {
    matches!(
        e.code,
        Code::ObjectMissing | Code::ObjectDamaged | Code::ManifestDamaged | Code::FormatTooNew
    )
}

/// Everything but segments that a backup refers to, with what it is for people.
fn objects(manifest: &Manifest) -> impl Iterator<Item = (String, &crate::core::manifest::Object)> {
    let schema = &manifest.schema;
    let ddl = [&schema.pre_data, &schema.post_data, &schema.extras]
        .into_iter()
        .flatten();
    let ddl = ddl.map(|o| ("schema".to_string(), o));
    ddl.chain(manifest.config.iter().map(|c| (c.path.clone(), &c.object)))
}
