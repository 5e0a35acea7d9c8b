//! The catalog in the project's own database: the queue, the migrations, and who belongs to which tenant.

use super::failed;
use crate::error::{Context as _, Result};
use crate::postgres::Postgres;
use crate::supabase;
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::tasks::{Context, migrate};

/// The demo's people in their tenants; safe to repeat.
pub const TENANTS: &str = include_str!("../../sql/demo/tenants.sql");

/// Safe to repeat. The demo app must be there before its people join tenants.
pub async fn set_up(postgres: &Postgres) -> Result<()> {
    let url = postgres.owner_url("postgres");
    install_queue(&url).await?;
    let database = DatabaseUrl::parse(&url).map_err(|e| failed("the owner's URL", e))?;
    migrate::migrate(&Context::default(), &database)
        .await
        .map_err(|e| failed("cannot apply the migrations", e))?;
    Ok(())
}

/// The demo's people in their tenants.
pub async fn seed_tenants(postgres: &Postgres) -> Result<()> {
    supabase::connect(&postgres.owner_url("postgres"))
        .await?
        .batch_execute(TENANTS)
        .await
        .context("cannot seed the tenants")
}

/// What Supabase does when Queues are switched on.
async fn install_queue(url: &str) -> Result<()> {
    let client = supabase::connect(url).await?;
    let there = client
        .query_one(
            "SELECT to_regprocedure('pgmq.create(text)') IS NOT NULL",
            &[],
        )
        .await
        .context("cannot look for the queue")?;
    if there.get(0) {
        return Ok(());
    }
    let doing = "cannot install the queue";
    pgmq::PGMQueueExt::new(url.to_string(), 1)
        .await
        .map_err(|e| failed(doing, e))?
        .install_sql_from_embedded()
        .await
        .map_err(|e| failed(doing, e))
}
