//! Applying the catalog's migrations, the same files that `supabase db push` applies.

use crate::error::{Code, Error, Result};
use crate::ports::postgres::source::CATALOG_MARKER;
use crate::ports::postgres::{DatabaseUrl, Purpose, Session};
use crate::tasks::Context;

/// Version and text, in order.
pub const MIGRATIONS: &[(&str, &str)] = &[
    (
        "20261122000001",
        include_str!("../../supabase/migrations/20261122000001_rovodev_house.sql"),
    ),
    (
        "20261122000002",
        include_str!("../../supabase/migrations/20261122000002_rovodev_tenants.sql"),
    ),
    (
        "20261122000003",
        include_str!("../../supabase/migrations/20261122000003_rovodev_backups.sql"),
    ),
    (
        "20261122000004",
        include_str!("../../supabase/migrations/20261122000004_rovodev_jobs.sql"),
    ),
    (
        "20261122000005",
        include_str!("../../supabase/migrations/20261122000005_rovodev_people.sql"),
    ),
    (
        "20261122000006",
        include_str!("../../supabase/migrations/20261122000006_rovodev_grants.sql"),
    ),
    (
        "20261122000007",
        include_str!("../../supabase/migrations/20261122000007_rovodev_exports.sql"),
    ),
    (
        "20261122000009",
        include_str!("../../supabase/migrations/20261122000009_rovodev_operators.sql"),
    ),
    (
        "20261122000010",
        include_str!("../../supabase/migrations/20261122000010_rovodev_chores.sql"),
    ),
    (
        "20261122000011",
        include_str!("../../supabase/migrations/20261122000011_rovodev_activity.sql"),
    ),
    (
        "20261122000012",
        include_str!("../../supabase/migrations/20261122000012_rovodev_restores.sql"),
    ),
    (
        "20261122000013",
        include_str!("../../supabase/migrations/20261122000013_rovodev_schedules.sql"),
    ),
    (
        "20261122000014",
        include_str!("../../supabase/migrations/20261122000014_rovodev_schedule_operators.sql"),
    ),
    (
        "20261122000015",
        include_str!("../../supabase/migrations/20261122000015_rovodev_notifications.sql"),
    ),
    (
        "20261122000016",
        include_str!("../../supabase/migrations/20261122000016_rovodev_channels.sql"),
    ),
    (
        "20261122000017",
        include_str!("../../supabase/migrations/20261122000017_rovodev_hooks.sql"),
    ),
    (
        "20261122000018",
        include_str!("../../supabase/migrations/20261122000018_rovodev_metrics.sql"),
    ),
    (
        "20261122000019",
        include_str!("../../supabase/migrations/20261122000019_rovodev_read_backs.sql"),
    ),
    (
        "20261122000020",
        include_str!("../../supabase/migrations/20261122000020_rovodev_anomalies.sql"),
    ),
    (
        "20261122000022",
        include_str!("../../supabase/migrations/20261122000022_rovodev_endings.sql"),
    ),
    (
        "20261122000023",
        include_str!("../../supabase/migrations/20261122000023_rovodev_refusals.sql"),
    ),
];

/// Tables of the catalog whose names an app could have chosen as well.
const PLAIN_NAMES: &[&str] = &["backups", "restore_operations", "backup_schedules"];

/// Applies what is missing, each in a transaction of its own, and returns the versions applied.
///
/// # Errors
/// [`Code::CatalogTaken`] where the app has tables of these names; nothing is applied then.
pub async fn migrate(ctx: &Context, database: &DatabaseUrl) -> Result<Vec<&'static str>> {
    let session = ctx
        .or_cancelled(Session::connect(database, Purpose::Write))
        .await?;
    let known = applied(&session).await?;
    if known.is_empty() {
        refuse_foreign_tables(&session).await?;
    }
    let mut done = Vec::new();
    for (version, sql) in MIGRATIONS {
        if known.iter().any(|k| k == version) {
            continue;
        }
        ctx.check()?;
        let whole = format!("BEGIN; SET LOCAL search_path = public; {sql}; COMMIT");
        session
            .batch(&format!("applying migration {version}"), &whole)
            .await?;
        done.push(*version);
    }
    Ok(done)
}

async fn applied(session: &Session) -> Result<Vec<String>> {
    let doing = "reading which migrations were applied";
    let there = session
        .query_one(
            doing,
            "SELECT to_regclass('rovodev.migrations') IS NOT NULL",
            &[],
        )
        .await?;
    if !there.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    let rows = session
        .query(doing, "SELECT version FROM rovodev.migrations", &[])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn refuse_foreign_tables(session: &Session) -> Result<()> {
    let names: Vec<&str> = PLAIN_NAMES.to_vec();
    let marked = format!("{CATALOG_MARKER}%");
    let rows = session
        .query(
            "looking for tables of the catalog's names",
            "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'public' AND c.relname = ANY ($1) \
             AND coalesce(obj_description(c.oid, 'pg_class'), '') NOT LIKE $2",
            &[&names, &marked],
        )
        .await?;
    let taken: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    if taken.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Code::CatalogTaken,
        format!("the app has tables of its own called {}", taken.join(", ")),
    )
    .hint("Keep the catalog in a Supabase project of its own: SUPABASE_URL names it."))
}
