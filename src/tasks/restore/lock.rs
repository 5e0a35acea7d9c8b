//! One restore at a time per database, whichever kind it is; dry runs work beside it.

use crate::core::managed;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::Session;
use std::time::Duration;
use uuid::Uuid;

/// Shared by dry runs; whoever clears up takes it alone, so as not to drop what they have staged.
const DRY_RUNS: (i64, i64) = (managed::RESTORE_LOCK.0, 2);
/// Shared by the sessions that write for whoever restores in place.
const WRITERS: (i64, i64) = (managed::RESTORE_LOCK.0, 3);
/// A restore that just ended or was cancelled may still hold it until the server noticed.
const TRIES: u32 = 25;
const PAUSE: Duration = Duration::from_millis(100);

/// Whether the session now holds the lock.
pub async fn try_lock(session: &Session) -> Result<bool> {
    // Held until the session ends.
    let (space, lock) = managed::RESTORE_LOCK;
    let sql = format!("SELECT pg_catalog.pg_try_advisory_lock({space}, {lock})");
    for _ in 1..TRIES {
        if session
            .query_one("taking the restore lock", &sql, &[])
            .await?
            .get(0)
        {
            return Ok(true);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(session
        .query_one("taking the restore lock", &sql, &[])
        .await?
        .get(0))
}

/// Says in the database which operation this session leads, and ends the session of its former attempt: whoever has the
/// operation now has it alone, and a program that is suspended would hold the lock until it wakes.
pub async fn claim(session: &Session, operation: Uuid) -> Result<()> {
    // An advisory lock of this number is nobody else's, whatever name a pooler left behind.
    let name = format!("rovodev restore {operation}");
    let doing = "ending the former attempt's session";
    session
        .query(
            doing,
            &ending(managed::RESTORE_LOCK, " AND a.application_name = $1"),
            &[&name],
        )
        .await?;
    let sql = "SELECT pg_catalog.set_config('application_name', $1, false)";
    session.query("naming the session", sql, &[&name]).await?;
    Ok(())
}

/// Makes this session one that writes for whoever holds the restore lock.
pub async fn share_writing(session: &Session) -> Result<()> {
    share(session, "announcing a writer", WRITERS).await
}

async fn share(session: &Session, doing: &str, (space, lock): (i64, i64)) -> Result<()> {
    let sql = format!("SELECT pg_catalog.pg_advisory_lock_shared({space}, {lock})");
    session.query(doing, &sql, &[]).await?;
    Ok(())
}

/// Ends sessions that still write for a leader who is gone; only whoever holds the restore lock now may.
pub async fn end_orphans(session: &Session) -> Result<()> {
    let doing = "ending what writes for a restore that is gone";
    session.query(doing, &ending(WRITERS, ""), &[]).await?;
    Ok(())
}

/// Ends the sessions of this database and role that hold an advisory lock.
fn ending((space, lock): (i64, i64), and: &str) -> String {
    format!(
        "SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_locks l
           JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid AND a.datid = l.database
          WHERE {held} AND a.datname = pg_catalog.current_database() AND a.usename = current_user
            AND a.pid <> pg_catalog.pg_backend_pid(){and}",
        held = held(space, lock),
    )
}

fn held(space: i64, lock: i64) -> String {
    format!(
        "l.locktype = 'advisory' AND l.granted AND l.classid = {space} AND l.objid = {lock} AND l.objsubid = 2"
    )
}

/// The refusal beside another restore. It names the session that holds the lock: where its program is suspended or cut
/// off, only whoever ends that session ends the wait.
pub async fn refusal(session: &Session) -> Result<Error> {
    let (space, lock) = managed::RESTORE_LOCK;
    // Whose session it is decides whether one sees since when it works.
    let sql = format!(
        "SELECT l.pid, pg_catalog.to_char(a.query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
           FROM pg_catalog.pg_locks l
           JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
           LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
          WHERE {}",
        held(space, lock),
    );
    let doing = "looking who holds the restore lock";
    let holders = session.query(doing, &sql, &[]).await?;
    let database = &session.identity.database;
    let (who, way_out) = holders.first().map_or_else(Default::default, |holder| {
        let (pid, since): (i32, Option<String>) = (holder.get(0), holder.get(1));
        let since = since.map_or(String::new(), |at| format!(", its last statement at {at}"));
        let end = format!("SELECT pg_terminate_backend({pid});");
        (
            format!(" (process {pid}{since})"),
            format!(" Where what runs it is gone for good, end its session in the database: {end}"),
        )
    });
    let message = format!("another restore of database {database:?} is running{who}");
    Ok(Error::new(Code::RestoreRunning, message)
        .hint(format!("Wait until it is done, or cancel it.{way_out}"))
        .retry(true))
}

/// Keeps what this session stages for a dry run from being cleared up, until the session ends.
pub async fn share_dry_run(session: &Session) -> Result<()> {
    share(session, "announcing a dry run", DRY_RUNS).await
}

/// Whether no dry run is under way; holds new ones off until [`allow_dry_runs`].
pub async fn hold_off_dry_runs(session: &Session) -> Result<bool> {
    let (space, lock) = DRY_RUNS;
    let sql = format!("SELECT pg_catalog.pg_try_advisory_lock({space}, {lock})");
    let row = session.query_one("looking for dry runs", &sql, &[]).await?;
    Ok(row.get(0))
}

pub async fn allow_dry_runs(session: &Session) -> Result<()> {
    let (space, lock) = DRY_RUNS;
    let sql = format!("SELECT pg_catalog.pg_advisory_unlock({space}, {lock})");
    session.query("allowing dry runs", &sql, &[]).await?;
    Ok(())
}
