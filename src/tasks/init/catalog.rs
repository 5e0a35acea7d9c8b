//! The catalog's part of setting up: migrations, the first admin, and the proof that the keys lead there.

use crate::config::{self, Settings};
use crate::error::{Code, Error, Result};
use crate::ports::catalog::{ApiKey, As, Catalog, Repeat};
use crate::ports::postgres::{DatabaseUrl, Purpose, Session};
use crate::ports::web;
use crate::tasks::init::{Check, Verdict, failed, ok};
use crate::tasks::{Context, migrate};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Between two looks whether PostgREST has seen new functions.
const LOOK: Duration = Duration::from_millis(300);

/// The database of the project at `SUPABASE_URL`: `CATALOG_DATABASE_URL`, else the source.
///
/// # Errors
/// [`Code::Config`] where the two are visibly different projects: the catalog would land in the wrong one.
pub fn database(settings: &Settings) -> Result<DatabaseUrl> {
    let own = settings.get(&config::CATALOG_DATABASE_URL);
    let url = match own {
        Some(url) => url,
        None => settings.require(&config::DATABASE_URL)?,
    };
    let (catalog, supabase) = (
        DatabaseUrl::parse(url)?,
        settings.require(&config::SUPABASE_URL)?,
    );
    match (project_of_url(supabase), project_of_database(url)) {
        (Some(wanted), Some(reached)) if wanted != reached => Err(Error::new(
            Code::Config,
            format!(
                "SUPABASE_URL is project {wanted}, and the database at hand is project {reached}'s"
            ),
        )
        .hint("Set CATALOG_DATABASE_URL to the database of the project at SUPABASE_URL.")),
        _ => Ok(catalog),
    }
}

/// `abcdefghijklmnopqrst` of `https://abcdefghijklmnopqrst.supabase.co`.
fn project_of_url(url: &str) -> Option<String> {
    let host = url::Url::parse(url).ok()?.host_str()?.to_string();
    host.strip_suffix(".supabase.co").map(str::to_string)
}

/// Of `db.PROJECT.supabase.co`, or of the user `postgres.PROJECT` at the pooler.
fn project_of_database(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let host = url.host_str()?;
    let direct = host
        .strip_suffix(".supabase.co")
        .and_then(|h| h.strip_prefix("db."));
    let pooled = host
        .ends_with(".pooler.supabase.com")
        .then(|| url.username().split_once('.').map(|(_, project)| project))
        .flatten();
    direct.or(pooled).map(str::to_string)
}

/// Applies what is missing of the catalog; the versions applied.
pub async fn migrate(ctx: &Context, database: &DatabaseUrl) -> Result<Vec<&'static str>> {
    let applied = migrate::migrate(ctx, database).await?;
    if !applied.is_empty() {
        // Supabase's PostgREST hears of it by itself; another one is told.
        let session = Session::connect(database, Purpose::Write).await?;
        let doing = "telling PostgREST of new functions";
        session
            .batch(doing, "NOTIFY pgrst, 'reload schema'")
            .await?;
    }
    Ok(applied)
}

/// Makes a user of Supabase Auth an admin of `tenant`, which is made where there is none; whether that changed anything.
pub async fn make_admin(
    database: &DatabaseUrl,
    tenant: &str,
    email: &str,
    actor: &str,
) -> Result<bool> {
    let session = Session::connect(database, Purpose::Write).await?;
    let sql = "SELECT (rovodev.make_admin($1, $2, $3))::text";
    let row = session
        .query_one("making the first admin", sql, &[&tenant, &email, &actor])
        .await?;
    let told: Value = serde_json::from_str(row.get(0)).unwrap_or_default();
    match told["outcome"] == "done" {
        true => Ok(told["changed"] == true),
        false => Err(Error::new(
            Code::UserNotFound,
            told["message"]
                .as_str()
                .unwrap_or("no such user")
                .trim_end_matches('.'),
        )
        .hint(
            "Make the user first: Supabase, Authentication, Users, Add user. Then run this again.",
        )),
    }
}

/// Whether the keys lead to the catalog; none where nobody keeps one.
pub async fn check(settings: &Settings, limit: Duration) -> Option<Check> {
    let url = settings.get(&config::SUPABASE_URL)?;
    Some(match reach(settings, limit).await {
        Ok(()) => ok("catalog", format!("{url} answers to the secret key")),
        Err(e) => failed("catalog", Verdict::Failed, &e),
    })
}

/// Asks the catalog as jobs do, until it answers or `limit` is over: PostgREST may take a moment to see new functions.
async fn reach(settings: &Settings, limit: Duration) -> Result<()> {
    let publishable = settings.get(&config::SUPABASE_PUBLISHABLE_KEY);
    let secret = ApiKey::new(settings.require(&config::SUPABASE_SECRET_KEY)?);
    let catalog = Catalog::new(
        web::client()?,
        settings.require(&config::SUPABASE_URL)?,
        ApiKey::new(publishable.unwrap_or_default()),
        Some(secret),
    );
    let begun = Instant::now();
    loop {
        let arguments = json!({});
        let asked =
            catalog.call::<Value>(As::Jobs, "rovodev_waiting_jobs", &arguments, Repeat::Safely);
        match asked.await {
            Ok(_) => return Ok(()),
            Err(e) if e.code == Code::CatalogRefused || begun.elapsed() > limit => return Err(e),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_lands_in_no_other_project() {
        let database = |source: &str, own: &str| {
            let own = own.to_string();
            let values = [
                ("SUPABASE_URL", "https://abcd.supabase.co".to_string()),
                ("DATABASE_URL", source.to_string()),
                ("CATALOG_DATABASE_URL", own),
            ];
            super::database(&Settings::of(values))
                .map(drop)
                .map_err(|e| e.code)
        };
        let (own, other) = (
            "postgres://postgres:x@db.abcd.supabase.co/postgres",
            "postgres://postgres.efgh:x@aws-0-eu-west-1.pooler.supabase.com:5432/postgres",
        );
        assert!(database(own, "").is_ok());
        assert_eq!(database(other, ""), Err(Code::Config));
        assert!(database(other, own).is_ok());
        assert!(database("postgres://a:x@127.0.0.1/b", "").is_ok());
    }
}
