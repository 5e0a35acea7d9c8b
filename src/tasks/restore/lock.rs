//! One restore at a time per database, whichever kind it is; dry runs work beside it.

use crate::core::managed;
use crate::error::Result;
use crate::ports::postgres::Session;
use std::time::Duration;

/// Shared by dry runs; whoever clears up takes it alone, so as not to drop what they have staged.
const DRY_RUNS: &str = "1919907695, 2";
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

/// Keeps what this session stages for a dry run from being cleared up, until the session ends.
pub async fn share_dry_run(session: &Session) -> Result<()> {
    let sql = format!("SELECT pg_catalog.pg_advisory_lock_shared({DRY_RUNS})");
    session.query("announcing a dry run", &sql, &[]).await?;
    Ok(())
}

/// Whether no dry run is under way; holds new ones off until [`allow_dry_runs`].
pub async fn hold_off_dry_runs(session: &Session) -> Result<bool> {
    let sql = format!("SELECT pg_catalog.pg_try_advisory_lock({DRY_RUNS})");
    let row = session.query_one("looking for dry runs", &sql, &[]).await?;
    Ok(row.get(0))
}

pub async fn allow_dry_runs(session: &Session) -> Result<()> {
    let sql = format!("SELECT pg_catalog.pg_advisory_unlock({DRY_RUNS})");
    session.query("allowing dry runs", &sql, &[]).await?;
    Ok(())
}
