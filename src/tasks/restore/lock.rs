//! One restore at a time per database, whichever kind it is.

use crate::core::managed;
use crate::error::Result;
use crate::ports::postgres::Session;
use std::time::Duration;

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
