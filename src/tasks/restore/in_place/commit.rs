//! The commit, and the answer to "was it done?" when the connection breaks at it.

use super::merge::Done;
use super::work::{Work, again};
use crate::core::manifest::{Scope, Warning};
use crate::core::merge::apply::{self, Counts};
use crate::core::restore_plan::{Mode, Outcome, TableChange};
use crate::error::{Code, Error, Result};
use crate::ports::postgres::Session;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// What the record in the undo schema says besides the counts.
#[derive(Debug, Clone)]
pub struct Record {
    pub backup: Uuid,
    pub backup_name: String,
    pub safety: Option<Uuid>,
    pub mode: Mode,
    /// The one tenant whose rows were restored.
    pub scope: Option<Scope>,
}

/// Writes the record; together with the rows it becomes visible at the commit, or never. Returns until when they are kept;
/// none where nothing changed.
pub async fn record(work: &Work, record: &Record, done: &Done) -> Result<Option<DateTime<Utc>>> {
    if done.is_empty() {
        return Ok(None);
    }
    let (add, change, remove) = sums(done);
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let touched: Vec<_> = work
        .merged()
        .map(|(_, u)| u)
        .filter(|u| done.contains_key(&u.number))
        .collect();
    let unwritten = |e| {
        Error::new(
            Code::Internal,
            "the record of the restore could not be written",
        )
        .source(e)
    };
    let units = serde_json::to_string(&touched).map_err(unwritten)?;
    let scope = record.scope.as_ref().map(serde_json::to_string);
    let scope = scope.transpose().map_err(unwritten)?;
    let mode = serde_json::to_value(record.mode).ok();
    let mode = mode.as_ref().and_then(|m| m.as_str()).unwrap_or_default();
    let written = work
        .session
        .query_one(
            "writing the record of the restore",
            &apply::write_record(&work.names),
            &[
                &work.names.operation.to_string(),
                &record.backup.to_string(),
                &record.backup_name,
                &record.safety.map(|id| id.to_string()),
                &work.names.reverses.map(|id| id.to_string()),
                &mode,
                &number(add),
                &number(change),
                &number(remove),
                &units,
                &scope,
                &i32::try_from(work.undo_days).unwrap_or(i32::MAX),
            ],
        )
        .await?;
    Ok(Some(moment(written.get(0))))
}

/// A time in seconds since 1970.
pub fn moment(seconds: f64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros((seconds * 1e6).round() as i64).unwrap_or_default()
}

fn sums(done: &Done) -> (u64, u64, u64) {
    let sum = |of: fn(&Counts) -> u64| done.values().map(of).sum();
    (sum(|c| c.add), sum(|c| c.change), sum(|c| c.remove))
}

/// What people are told of it, table by table.
pub fn outcome(
    work: &Work,
    record: &Record,
    done: &Done,
    tables: u64,
    warnings: Vec<Warning>,
) -> Outcome {
    let (rows_added, rows_changed, rows_removed) = sums(done);
    let changes = work.units.iter().filter_map(|unit| {
        let counts = done.get(&unit.number).filter(|c| c.total() > 0)?;
        Some(TableChange {
            table: unit.table.clone(),
            added: counts.add,
            changed: counts.change,
            removed: counts.remove,
        })
    });
    Outcome {
        operation: work.names.operation,
        backup: record.backup,
        tables,
        changes: changes.collect(),
        rows_added,
        rows_changed,
        rows_removed,
        undo_schema: (!done.is_empty()).then(|| work.names.undo_schema()),
        undo_until: work.undo_until,
        warnings,
    }
}

/// Commits. Where the connection breaks on the way, looks whether the undo schema is there, once the server has
/// ended the broken session.
pub async fn commit(work: &mut Work, kept: bool) -> Result<()> {
    let Err(broken) = work.session.batch("committing the restore", "COMMIT").await else {
        return Ok(());
    };
    if broken.code != Code::ConnectionLost {
        return Err(broken);
    }
    let unknown = |e: Error| {
        Error::new(
            Code::OutcomeUnknown,
            format!("the connection broke at the commit of operation {}, and whether it was done could not be read: {e}", work.names.operation),
        )
        .hint("Look with `rovodev status` once the database answers: an operation that is listed there was done.")
    };
    let session = again(&work.target, &work.identity).await.map_err(unknown)?;
    let done = exists(&session, &work.names.undo_schema())
        .await
        .map_err(unknown)?;
    if done || !kept {
        work.session = session;
        return Ok(());
    }
    // Its lock goes with it, for the next try.
    drop(session);
    Err(broken)
}

pub async fn exists(session: &Session, schema: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)";
    Ok(session
        .query_one("looking for the undo schema", sql, &[&schema])
        .await?
        .get(0))
}
