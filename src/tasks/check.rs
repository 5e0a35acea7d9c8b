//! Is every stored object still what was written?

mod contents;
mod report;

pub use report::{CheckReport, Problem};

use super::open_store::ReadableStore;
use super::{Context, backups};
use crate::core::keys;
use crate::core::manifest::Manifest;
use crate::core::progress::Stage;
use crate::error::{Code, Error, Result};
use contents::{Contents, verify};
use futures_util::{StreamExt, stream};
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
    let broken = check_objects(ctx, store, contents, &mut report).await?;
    if !broken.is_empty() {
        name_tables(store, &wanted, broken, &mut report).await?;
    }
    Ok(report)
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

async fn check_objects(
    ctx: &Context,
    store: &ReadableStore,
    contents: Contents,
    report: &mut CheckReport,
) -> Result<Vec<Problem>> {
    let mut checks = stream::iter(contents.into_items())
        .map(|item| async {
            let verified = verify(store, &item).await;
            (item, verified)
        })
        .buffer_unordered(PARALLEL);
    let mut broken = Vec::new();
    while let Some((item, verified)) = ctx.or_cancelled(async { Ok(checks.next().await) }).await? {
        report.objects += 1;
        report.bytes += item.stored_bytes();
        ctx.progress.add(&item.what, item.rows(), item.raw_bytes());
        match verified {
            Ok(()) => {}
            Err(e) if is_problem(&e) => {
                broken.push(Problem::new(item.key, &e));
            }
            Err(e) => return Err(e),
        }
    }
    Ok(broken)
}

/// Goes through the manifests once more, since few checks find anything.
async fn name_tables(
    store: &ReadableStore,
    wanted: &[(String, Uuid)],
    mut broken: Vec<Problem>,
    report: &mut CheckReport,
) -> Result<()> {
    for (tenant, id) in wanted {
        match backups::read(&store.store, tenant, *id).await {
            Ok(manifest) => broken.iter_mut().for_each(|p| p.concerns(&manifest)),
            Err(e) if is_problem(&e) => {}
            Err(e) => return Err(e),
        }
    }
    broken.sort_by(|a, b| a.key.cmp(&b.key));
    report.problems.extend(broken);
    Ok(())
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
