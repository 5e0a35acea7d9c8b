//! Restores into a database that never ended.

use super::Session;
use crate::core::managed;
use crate::error::{Code, Error, Result};

/// The marker schema of each, and what it says of the restore. A database that has one is incomplete and not to be used.
pub async fn restores(session: &Session) -> Result<Vec<(String, String)>> {
    let sql = "SELECT nspname::text, coalesce(pg_catalog.obj_description(oid, 'pg_namespace'), '')
                 FROM pg_catalog.pg_namespace WHERE pg_catalog.starts_with(nspname, $1) ORDER BY 1";
    let doing = "looking for unfinished restores";
    let rows = session
        .query(doing, sql, &[&managed::RESTORE_MARKER])
        .await?;
    let markers = rows.iter().map(|r| (r.get::<_, String>(0), r.get(1)));
    Ok(markers.filter(|(name, _)| managed::is_own(name)).collect())
}

/// Half a database must not pass for a backup of it.
pub async fn refuse(session: &Session) -> Result<()> {
    let Some((marker, comment)) = restores(session).await?.into_iter().next() else {
        return Ok(());
    };
    Err(Error::new(
        Code::RestoreUnfinished,
        format!("the database is incomplete: a restore into it has not ended ({comment})"),
    )
    .hint(format!(
        "Run that restore again; or, where the database is as it should be, drop the schema {marker}."
    )))
}
