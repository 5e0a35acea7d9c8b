//! What restores kept for their undo, once the date has passed until which they promised to.

use super::commit::moment;
use super::{operations, work};
use crate::core::ident;
use crate::core::merge::names;
use crate::error::{Code, Result};
use crate::ports::postgres::{DatabaseUrl, Session};
use crate::tasks::restore::lock;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Somebody may read there, a dump of the whole database for one. Whoever comes then must not wait for us.
const LOCK_WAIT: &str = "SET LOCAL lock_timeout = '1s'";

/// Drops what is kept longer than promised, and returns the operations. While a restore or an undo runs, nothing is dropped.
pub async fn drop_expired(target: &DatabaseUrl) -> Result<Vec<Uuid>> {
    match work::lead(target, None).await {
        Err(e) if e.code == Code::RestoreRunning => Ok(Vec::new()),
        session => drop_kept(&session?).await,
    }
}

/// The same before a restore, by its own session; what cannot be dropped does not keep it from going on.
pub(super) async fn clear(session: &Session) {
    if let Err(e) = drop_kept(session).await {
        tracing::warn!("what earlier restores kept stays longer than promised: {e}");
    }
}

/// The session leads, so that no restore or undo needs any of it. Dry runs of undos may.
async fn drop_kept(session: &Session) -> Result<Vec<Uuid>> {
    let all = operations::list(session).await?;
    if all.iter().all(|o| o.undo_until.is_none()) {
        return Ok(Vec::new());
    }
    if !lock::hold_off_dry_runs(session).await? {
        return Ok(Vec::new());
    }
    let dropped = drop_passed(session, all).await;
    lock::allow_dry_runs(session).await?;
    dropped
}

async fn drop_passed(session: &Session, mut all: Vec<operations::Operation>) -> Result<Vec<Uuid>> {
    let clock = "SELECT extract(epoch FROM clock_timestamp())::float8";
    let now = moment(
        session
            .query_one("reading the clock", clock, &[])
            .await?
            .get(0),
    );
    let (mut dropped, mut kept) = (Vec::new(), BTreeSet::new());
    // Oldest first: a restore without the undo that reversed it would look as if it could be undone.
    all.sort_by_key(|o| o.at);
    for operation in all {
        let stays = operation.undo_until.is_none_or(|until| until > now)
            || operation.reverses.is_some_and(|id| kept.contains(&id));
        if stays {
            kept.insert(operation.id);
        } else if let Err(e) = drop_one(session, operation.id).await {
            tracing::warn!(operation = %operation.id, "stays longer than promised: {e}");
            kept.insert(operation.id);
        } else {
            dropped.push(operation.id);
        }
    }
    Ok(dropped)
}

/// Nobody is asked, so that what somebody made of it keeps it: a view on its tables, or a table beside them.
async fn drop_one(session: &Session, operation: Uuid) -> Result<()> {
    let (doing, schema) = (
        "dropping what a restore kept",
        names::undo_schema(operation),
    );
    let ours = "SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ') \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relkind = 'r' AND c.relname ~ '^(operation|u[0-9]+)$'";
    let row = session.query_one(doing, ours, &[&schema]).await?;
    let tables: Option<String> = row.get(0);
    let tables = tables.map_or(String::new(), |list| {
        format!("DROP TABLE {list} RESTRICT; ")
    });
    let schema = ident::quote(&schema);
    let drop = format!("{LOCK_WAIT}; {tables}DROP SCHEMA {schema} RESTRICT");
    session.batch(doing, &drop).await
}
