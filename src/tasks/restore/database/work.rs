//! The restore itself, from the marker to its removal.

use super::content::Content;
use super::post_data::{self, PostData};
use super::pre_data::{self, Platform};
use super::roles::Roles;
use super::steps::{self, Warnings};
use super::target::Target;
use super::writers::Writers;
use super::{clear, finish, foreign_keys, rows};
use crate::core::ident;
use crate::core::manifest::Warning;
use crate::core::progress::Stage;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::Session;
use crate::ports::store::Store;
use crate::tasks::Context;
use crate::tasks::restore::RestoreRequest;

/// Answers the rows written and what a person should know.
pub async fn run(
    ctx: &Context,
    store: &Store,
    request: &RestoreRequest,
    content: &Content<'_>,
    target: &Target,
    marker: &str,
) -> Result<(u64, Vec<Warning>)> {
    let warnings = Warnings::default();
    let rows = match content.has_definitions() {
        true => everything(ctx, store, request, content, target, &warnings).await?,
        false => rows_alone(ctx, store, request, content, target, &warnings).await?,
    };
    ctx.progress.stage(Stage::Finish, 0);
    ctx.check()?;
    let sql = format!("DROP SCHEMA {}", ident::quote(marker));
    target
        .session
        .batch("removing the restore's marker", &sql)
        .await?;
    Ok((rows, warnings.take()))
}

async fn everything(
    ctx: &Context,
    store: &Store,
    request: &RestoreRequest,
    content: &Content<'_>,
    target: &Target,
    warnings: &Warnings,
) -> Result<u64> {
    let session = &target.session;
    drop_what_was_there(ctx, target, content).await?;
    let platform = Platform::missing(content, target);
    let mut roles = Roles::read(session).await?;
    pre_data::build(ctx, target, content, &platform, &mut roles, warnings).await?;
    let settings = writer_settings(session, request.writers).await?;
    let writers = Writers::connect(
        &request.target,
        request.writers,
        &session.identity,
        &settings,
    )
    .await?;
    let written = rows::load(ctx, &writers, store, content, request.writers, true).await?;
    finish::set_sequences(ctx, session, content, warnings).await?;

    let pre: Vec<_> = content
        .pre_data
        .iter()
        .chain(&platform.pre_data)
        .cloned()
        .collect();
    let post = platform.post_data.iter().map(|e| (e, true));
    let post = post.chain(content.post_data.iter().map(|e| (e, false)));
    let post = PostData::sort(&pre, post, &mut roles);
    roles.report(warnings);
    post_data::build_indexes(ctx, &writers, content, post.by_table, warnings).await?;
    steps::run(ctx, session, &post.partitioned, warnings).await?;
    foreign_keys::build(ctx, &writers, session, post.foreign_keys, warnings).await?;
    steps::run(ctx, session, &post.rest, warnings).await?;
    finish::refresh(ctx, writers.first(), content, warnings).await?;
    finish::write_extras(ctx, session, content, &roles, warnings).await?;
    steps::run(ctx, session, &post.event_triggers, warnings).await?;
    ctx.progress.stage(Stage::Finish, 0);
    finish::analyze(ctx, &writers, content).await?;
    Ok(written)
}

async fn rows_alone(
    ctx: &Context,
    store: &Store,
    request: &RestoreRequest,
    content: &Content<'_>,
    target: &Target,
    warnings: &Warnings,
) -> Result<u64> {
    let session = &target.session;
    let without_triggers = "SET session_replication_role = replica";
    session
        .batch("switching triggers off", without_triggers)
        .await
        .map_err(|e| {
            Error::new(
                Code::TriggersFire,
                "the target's triggers and foreign keys would act on every row that comes back",
            )
            .hint(
                "Connect as a role that may set session_replication_role (on Supabase: postgres).",
            )
            .source(e)
        })?;
    let writers = Writers::connect(
        &request.target,
        request.writers,
        &session.identity,
        without_triggers,
    )
    .await?;
    let written = rows::load(ctx, &writers, store, content, request.writers, false).await?;
    finish::set_sequences(ctx, session, content, warnings).await?;
    finish::analyze(ctx, &writers, content).await?;
    Ok(written)
}

/// Nothing is dropped that the plan did not name: without `force` the target was found empty.
async fn drop_what_was_there(ctx: &Context, target: &Target, content: &Content<'_>) -> Result<()> {
    clear::drop_schemas(ctx, &target.session, &target.to_drop(content)).await?;
    for (marker, _) in &target.markers {
        let sql = format!("DROP SCHEMA {} CASCADE", ident::quote(marker));
        target.session.batch("removing an old marker", &sql).await?;
    }
    Ok(())
}

/// Memory for building indexes: half of `shared_buffers` among the writers, at most 1 GiB each, never less than the
/// server's own setting. Commits need not wait for the disk: the last one, which drops the marker, flushes them all.
async fn writer_settings(session: &Session, writers: usize) -> Result<String> {
    let sql = "SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')), \
                      pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem'))";
    let row = session
        .query_one("reading the target's memory settings", sql, &[])
        .await?;
    let (buffers, now): (i64, i64) = (row.get(0), row.get(1));
    let share = buffers / 2 / i64::try_from(writers.max(1)).unwrap_or(1);
    let kilobytes = share.min(1 << 30).max(now) / 1024;
    Ok(format!(
        "SET maintenance_work_mem = '{kilobytes}kB'; SET synchronous_commit = off; SET client_min_messages = warning"
    ))
}
