//! The restore itself, from the marker to its removal.

use super::content::Content;
use super::post_data::{self, PostData};
use super::pre_data::{self, Platform};
use super::roles::Roles;
use super::steps::{self, Warnings};
use super::target::Target;
use super::writers::Writers;
use super::{clear, finish, foreign_keys, platform, rows};
use crate::core::ident;
use crate::core::manifest::Warning;
use crate::core::progress::Stage;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::Session;
use crate::ports::store::Store;
use crate::tasks::Context;
use crate::tasks::restore::RestoreRequest;

pub struct Work<'a> {
    pub ctx: &'a Context,
    pub store: &'a Store,
    pub request: &'a RestoreRequest,
    pub content: &'a Content<'a>,
    pub target: &'a Target,
}

/// What was made before the rows, for what follows them.
struct Made {
    platform: Platform,
    roles: Roles,
}

impl Work<'_> {
    /// Answers the rows written and what a person should know.
    pub async fn run(&self, marker: &str) -> Result<(u64, Vec<Warning>)> {
        let Self { ctx, content, .. } = *self;
        let (session, warnings) = (&self.target.session, Warnings::default());
        let made = match content.has_definitions() {
            true => Some(self.before_rows(&warnings).await?),
            false => {
                drop_markers(self.target).await?;
                None
            }
        };
        let settings = match made {
            Some(_) => writer_settings(session, self.request.writers).await?,
            None => without_triggers(session).await?,
        };
        let writers = Writers::connect(
            &self.request.target,
            self.request.writers,
            &session.identity,
            &settings,
        )
        .await?;
        let new_tables = made.is_some();
        let count = self.request.writers;
        let mut written = rows::load(ctx, &writers, self.store, content, count, new_tables).await?;
        finish::set_sequences(ctx, session, content, &warnings).await?;
        match made {
            Some(made) => written += self.after_rows(&writers, made, marker, &warnings).await?,
            None => {
                finish::pass_rows(session, content).await?;
                written += platform::add(self, marker, &warnings).await?;
                foreign_keys::check(ctx, session, content, &warnings).await?;
            }
        }
        ctx.progress.stage(Stage::Finish, 0);
        finish::analyze(ctx, &writers, content).await?;
        ctx.check()?;
        let sql = format!("DROP SCHEMA {} CASCADE", ident::quote(marker));
        session.batch("removing the restore's marker", &sql).await?;
        Ok((written, warnings.take()))
    }

    async fn before_rows(&self, warnings: &Warnings) -> Result<Made> {
        let Self {
            ctx,
            content,
            target,
            ..
        } = *self;
        drop_what_was_there(ctx, target, content).await?;
        let platform = Platform::missing(content, target);
        let mut roles = Roles::read(&target.session).await?;
        pre_data::build(ctx, target, content, &platform, &mut roles, warnings).await?;
        Ok(Made { platform, roles })
    }

    /// Answers the rows added to the platform's tables.
    async fn after_rows(
        &self,
        writers: &Writers,
        made: Made,
        marker: &str,
        warnings: &Warnings,
    ) -> Result<u64> {
        let Self { ctx, content, .. } = *self;
        let session = &self.target.session;
        let Made {
            platform,
            mut roles,
        } = made;
        let pre: Vec<_> = content.pre_data.iter().chain(&platform.pre_data).collect();
        let post = platform.post_data.iter().map(|e| (e, true));
        let post = post.chain(content.post_data.iter().map(|e| (e, false)));
        let post = PostData::sort(&pre, post, &mut roles);
        warnings.extend(roles.left_out());
        post_data::build_indexes(ctx, writers, content, post.by_table, warnings).await?;
        steps::run(ctx, session, &post.partitioned, warnings).await?;
        // Their keys are there by now, and the app's refer to them.
        let added = platform::add(self, marker, warnings).await?;
        foreign_keys::build(ctx, writers, session, post.foreign_keys, content, warnings).await?;
        steps::run(ctx, session, &post.rest, warnings).await?;
        finish::refresh(ctx, writers.first(), content, warnings).await?;
        finish::write_extras(ctx, session, content, &roles, warnings).await?;
        steps::run(ctx, session, &post.event_triggers, warnings).await?;
        Ok(added)
    }
}

/// The settings of sessions in which no trigger and no foreign key acts on a row that comes back.
async fn without_triggers(session: &Session) -> Result<String> {
    let setting = "SET session_replication_role = replica";
    let refused = |e: Error| {
        Error::new(
            Code::TriggersFire,
            "the target's triggers and foreign keys would act on every row that comes back",
        )
        .hint("Connect as a role that may set session_replication_role (on Supabase: postgres).")
        .source(e)
    };
    let tried = session.batch("switching triggers off", setting).await;
    tried.map(|()| setting.into()).map_err(refused)
}

/// Nothing is dropped that the plan did not name: without `force` the target was found empty.
async fn drop_what_was_there(ctx: &Context, target: &Target, content: &Content<'_>) -> Result<()> {
    clear::drop_schemas(ctx, &target.session, &target.to_drop(content)).await?;
    drop_markers(target).await
}

/// Of restores that never ended, with the rows that they left in tables that they did not make.
async fn drop_markers(target: &Target) -> Result<()> {
    for (marker, _) in &target.markers {
        clear::take_back(&target.session, marker).await?;
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
