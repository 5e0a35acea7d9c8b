//! Where Vercel's cron calls once a day, the database itself calls the tick, each minute: by `pg_cron` and `pg_net` of
//! Supabase, with the secret in its vault.

use crate::core::ident::literal;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::{DatabaseUrl, Purpose, Session};
use url::Url;

/// Extensions, and a function of each.
const EXTENSIONS: [(&str, &str); 3] = [
    ("pg_cron", "cron.schedule"),
    ("pg_net", "net.http_get"),
    ("supabase_vault", "vault.create_secret"),
];
const JOB: &str = "rovodev-tick";
const EVERY_MINUTE: &str = "* * * * *";
/// `pg_cron` writes a row for each run and takes none away.
const TIDYING: &str = "rovodev-tick-log";
const TIDIED: &str = "17 4 * * *";
const SECRET: &str = "rovodev_cron_secret";
/// Milliseconds. The tick answers before its work is done.
const PATIENCE: u32 = 30_000;

/// Has the database call the tick of the deployment at `functions`; whether that changed anything.
///
/// # Errors
/// [`Code::Config`] where the database has no such extensions.
pub async fn set_up(database: &DatabaseUrl, functions: &Url, secret: &str) -> Result<bool> {
    let session = Session::connect(database, Purpose::Write).await?;
    extensions(&session).await?;
    let kept = keep(&session, secret).await?;
    let called = schedule(&session, JOB, EVERY_MINUTE, &call(functions)?).await?;
    schedule(&session, TIDYING, TIDIED, &tidy()).await?;
    Ok(kept || called)
}

/// Vercel's own cron calls each minute: once is enough. Whether there was anything to end.
pub async fn end(database: &DatabaseUrl) -> Result<bool> {
    let session = Session::connect(database, Purpose::Write).await?;
    let doing = "looking for pg_cron";
    let there = "SELECT to_regclass('cron.job') IS NOT NULL";
    if !session
        .query_one(doing, there, &[])
        .await?
        .get::<_, bool>(0)
    {
        return Ok(false);
    }
    let sql = "SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = ANY($1)";
    let doing = "ending the calls of the tick";
    let names: &[&str] = &[JOB, TIDYING];
    let ended = session.query(doing, sql, &[&names]).await?;
    Ok(!ended.is_empty())
}

/// Switches on what is not on yet.
async fn extensions(session: &Session) -> Result<()> {
    let sql = "SELECT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
               WHERE n.nspname || '.' || p.proname = $2), EXISTS (SELECT FROM pg_available_extensions WHERE name = $1)";
    for (name, function) in EXTENSIONS {
        let doing = format!("looking for {name}");
        let row = session.query_one(&doing, sql, &[&name, &function]).await?;
        let (on, available): (bool, bool) = (row.get(0), row.get(1));
        if on {
            continue;
        }
        if !available {
            let message = format!("the database cannot call the tick: it has no {name}");
            return Err(Error::new(Code::Config, message).hint(
                "Supabase has it. Elsewhere let something call /api/cron/tick each minute, with CRON_SECRET.",
            ));
        }
        let sql = format!("CREATE EXTENSION {name}");
        session.batch(&format!("switching {name} on"), &sql).await?;
    }
    Ok(())
}

/// Only the vault holds the secret: neither the job nor a log of its runs does.
async fn keep(session: &Session, secret: &str) -> Result<bool> {
    let doing = "keeping the secret in the vault";
    let sql = "SELECT id::text, decrypted_secret FROM vault.decrypted_secrets WHERE name = $1";
    let found = session.query(doing, sql, &[&SECRET]).await?;
    let Some(row) = found.first() else {
        let about = "Shown by the database when it calls Rovodev's tick.";
        let sql = "SELECT vault.create_secret($1, $2, $3)";
        session
            .query(doing, sql, &[&secret, &SECRET, &about])
            .await?;
        return Ok(true);
    };
    let (id, kept): (String, Option<String>) = (row.get(0), row.get(1));
    if kept.as_deref() == Some(secret) {
        return Ok(false);
    }
    let sql = "SELECT vault.update_secret($1::text::uuid, $2)";
    session.query(doing, sql, &[&id, &secret]).await?;
    Ok(true)
}

async fn schedule(session: &Session, name: &str, when: &str, command: &str) -> Result<bool> {
    let sql =
        "SELECT FROM cron.job WHERE jobname = $1 AND schedule = $2 AND command = $3 AND active";
    let doing = "reading the jobs of pg_cron";
    let same = session.query(doing, sql, &[&name, &when, &command]).await?;
    if !same.is_empty() {
        return Ok(false);
    }
    // It replaces a job of the same name.
    let sql = "SELECT cron.schedule($1, $2, $3)";
    let doing = "making a job of pg_cron";
    session.query(doing, sql, &[&name, &when, &command]).await?;
    Ok(true)
}

fn call(functions: &Url) -> Result<String> {
    let tick = functions.join("/api/cron/tick").map_err(|e| {
        let message = format!("{functions} cannot be the address of a deployment");
        Error::new(Code::Config, message).source(e)
    })?;
    Ok(format!(
        "SELECT net.http_get(url := {}, headers := jsonb_build_object('Authorization', 'Bearer ' || \
         (SELECT decrypted_secret FROM vault.decrypted_secrets WHERE name = {})), timeout_milliseconds := {PATIENCE})",
        literal(tick.as_str()),
        literal(SECRET),
    ))
}

fn tidy() -> String {
    format!(
        "DELETE FROM cron.job_run_details WHERE end_time < now() - interval '7 days' AND jobid IN \
         (SELECT jobid FROM cron.job WHERE jobname IN ({}, {}))",
        literal(JOB),
        literal(TIDYING),
    )
}
