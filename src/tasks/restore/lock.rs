//! One restore at a time per database, whichever kind it is.

use crate::error::Result;
use crate::ports::postgres::Session;

/// An advisory lock of two numbers ("rovo", 1), held until the session ends.
const LOCK: &str = "1919907695, 1";

/// Whether the session now holds the lock.
pub async fn try_lock(session: &Session) -> Result<bool> {
    let sql = format!("SELECT pg_catalog.pg_try_advisory_lock({LOCK})");
    Ok(session
        .query_one("taking the restore lock", &sql, &[])
        .await?
        .get(0))
}
