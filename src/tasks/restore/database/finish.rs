//! The end of a restore: sequences, materialized views, what lies outside the app's schemas, statistics.

use super::content::Content;
use super::pre_data::optional;
use super::roles::Roles;
use super::steps::{self, IfRefused, Step, Warnings};
use super::writers::{Job, Writers};
use crate::core::progress::Stage;
use crate::core::{ident, loaded};
use crate::error::Result;
use crate::ports::postgres::Session;
use crate::tasks::Context;

/// Small tables share a round trip.
const ANALYZED_AT_ONCE: usize = 20;

pub async fn set_sequences(
    ctx: &Context,
    session: &Session,
    content: &Content<'_>,
    warnings: &Warnings,
) -> Result<()> {
    let step = |s: &crate::core::manifest::Sequence| Step {
        label: format!("sequence {}", s.name),
        sql: format!(
            "SELECT pg_catalog.setval({}::pg_catalog.regclass, {}, {});",
            ident::literal(&s.name.sql()),
            s.last_value,
            s.is_called
        ),
        if_refused: IfRefused::Stop,
    };
    let sequence: Vec<_> = content.sequences().map(step).collect();
    steps::run(ctx, session, &sequence, warnings).await
}

/// A backup of one tenant's rows holds no sequences, and another database's may have handed out none of these numbers.
pub async fn pass_rows(session: &Session, content: &Content<'_>) -> Result<()> {
    let tables = content.tables();
    let tables = tables.flat_map(|t| std::iter::once(&t.name).chain(&t.partition_root));
    let sql = loaded::advance_sequences(tables);
    session.batch("moving sequences", &sql).await
}

/// In the manifest's order: views on views come after those.
pub async fn refresh(
    ctx: &Context,
    session: &Session,
    content: &Content<'_>,
    warnings: &Warnings,
) -> Result<()> {
    ctx.progress.stage(Stage::Refresh, 0);
    session.follow_database().await?;
    for view in content.materialized_views() {
        let doing = format!("refreshing materialized view {view}");
        let sql = format!("REFRESH MATERIALIZED VIEW {}", view.sql());
        let done = session
            .cancellable(&ctx.cancel, session.batch(&doing, &sql))
            .await;
        if let Err(error) = done {
            ctx.check()?;
            warnings.add("not_refreshed", error.to_string());
        }
        ctx.progress.add(&view.to_string(), 0, 0);
    }
    Ok(())
}

/// Triggers and policies on the platform's tables, publications, settings, jobs. A part of a backup brings none but its
/// tables' places in publications.
pub async fn write_extras(
    ctx: &Context,
    session: &Session,
    content: &Content<'_>,
    roles: &Roles,
    warnings: &Warnings,
) -> Result<()> {
    let extras = &content.extras;
    if content.is_partial() {
        let published: Vec<_> = optional(&extras.publications).collect();
        return steps::run(ctx, session, &published, warnings).await;
    }
    // A role that was there before keeps its settings: they hold in every database of the server.
    let new_roles = extras
        .role_settings
        .iter()
        .filter(|i| roles.created.contains(&i.name));
    let new_roles: Vec<_> = new_roles.cloned().collect();
    let lists = [
        &extras.memberships,
        &extras.triggers,
        &extras.policies,
        &extras.publications,
        &new_roles,
        &extras.cron_jobs,
    ];
    let sequence: Vec<_> = lists
        .into_iter()
        .flat_map(|items| optional(items))
        .collect();
    steps::run(ctx, session, &sequence, warnings).await
}

/// Without statistics queries take bad plans. Autovacuum sees the new rows and gathers them within a minute or two;
/// only where it is switched off is it done here, since it takes a sixth of a whole restore.
pub async fn analyze(ctx: &Context, writers: &Writers, content: &Content<'_>) -> Result<()> {
    let sql = "SELECT pg_catalog.current_setting('autovacuum')::bool AND pg_catalog.current_setting('track_counts')::bool";
    let doing = "looking whether autovacuum is on";
    if writers.first().query_one(doing, sql, &[]).await?.get(0) {
        return Ok(());
    }
    let mut tables: Vec<_> = content.tables().filter(|t| t.rows > 0).collect();
    tables.sort_by_key(|t| std::cmp::Reverse(t.raw_bytes));
    let jobs = tables.chunk_by(|_, later| later.raw_bytes < 1 << 20);
    let jobs = jobs
        .flat_map(|chunk| chunk.chunks(ANALYZED_AT_ONCE))
        .map(|chunk| {
            let names: Vec<_> = chunk.iter().map(|t| t.name.sql()).collect();
            Job {
                work: format!("ANALYZE {}", names.join(", ")),
                locks: Vec::new(),
            }
        });
    let work = async |ctx: &Context, session: &Session, sql: String| {
        let done = session.batch("gathering statistics", &sql);
        session.cancellable(&ctx.cancel, done).await
    };
    writers.run(ctx, jobs.collect(), work).await
}
