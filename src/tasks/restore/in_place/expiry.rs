//! What restores kept for their undo, once the date has passed until which they promised to.

use super::commit::moment;
use super::{operations, work};
use crate::core::merge::{names, stage};
use crate::error::{Code, Result};
use crate::ports::postgres::{DatabaseUrl, Session};
use crate::tasks::restore::lock;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Somebody may read there, a dump of the whole database for one. Whoever comes then must not wait for us.
const LOCK_WAIT: &str = "SET LOCAL lock_timeout = '1s'";

/// Drops what is kept longer than promised, and returns the operations. While a restore or an undo runs, nothing is dropped.
pub async fn drop_expired(target: &DatabaseUrl) -> Result<Vec<Uuid>> {
    match work::lead(target).await {
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
        let drop = stage::drop_schema(&names::undo_schema(operation.id));
        let drop = format!("{LOCK_WAIT}; {drop}");
        if stays {
            kept.insert(operation.id);
        } else if let Err(e) = session.batch("dropping what a restore kept", &drop).await {
            tracing::warn!(operation = %operation.id, "stays longer than promised: {e}");
            kept.insert(operation.id);
        } else {
            dropped.push(operation.id);
        }
    }
    Ok(dropped)
}
