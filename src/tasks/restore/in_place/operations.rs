//! What restores did here, and what dead ones left behind.

use super::work;
use crate::core::ident;
use crate::core::managed::{STAGING, UNDO};
use crate::core::merge::{names, stage};
use crate::error::{Code, Result};
use crate::ports::postgres::{DatabaseUrl, Purpose, Session};
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// A restore in place, or the undo of one, that was committed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    pub id: Uuid,
    pub backup: Uuid,
    pub backup_name: String,
    /// The backup taken before the restore.
    pub safety: Option<Uuid>,
    /// For an undo: the operation that it reversed.
    pub reverses: Option<Uuid>,
    pub at: DateTime<Utc>,
    pub mode: String,
    pub added: u64,
    pub changed: u64,
    pub removed: u64,
}

/// Committed operations whose rows are still kept, newest first.
pub async fn operations(target: &DatabaseUrl) -> Result<Vec<Operation>> {
    list(&Session::connect(target, Purpose::Read).await?).await
}

pub(super) async fn list(session: &Session) -> Result<Vec<Operation>> {
    let doing = "listing restores";
    // A schema counts only with its record: an app may have an `undo_…` of its own.
    let schemas = session
        .query(
            doing,
            "SELECT n.nspname::text FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'operation' \
             WHERE n.nspname LIKE 'undo\\_%' AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')",
            &[],
        )
        .await?;
    let each: Vec<String> = schemas
        .iter()
        .map(|r| r.get::<_, String>(0))
        .filter(|s| names::operation_of(s, UNDO).is_some())
        .map(|s| {
            format!(
                "SELECT id::text, backup::text, backup_name, safety::text, reverses::text, \
                 extract(epoch FROM at)::float8, mode, added, changed, removed FROM {}.operation",
                ident::quote(&s)
            )
        })
        .collect();
    if each.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("{} ORDER BY 6 DESC", each.join(" UNION ALL "));
    let rows = session.query(doing, &sql, &[]).await?;
    Ok(rows.iter().map(operation).collect())
}

fn operation(row: &tokio_postgres::Row) -> Operation {
    let id = |i: usize| {
        row.get::<_, Option<&str>>(i)
            .and_then(|t| Uuid::parse_str(t).ok())
    };
    let number = |i: usize| row.get::<_, i64>(i).unsigned_abs();
    let micros = (row.get::<_, f64>(5) * 1e6).round() as i64;
    Operation {
        id: id(0).unwrap_or_default(),
        backup: id(1).unwrap_or_default(),
        backup_name: row.get(2),
        safety: id(3),
        reverses: id(4),
        at: DateTime::from_timestamp_micros(micros).unwrap_or_default(),
        mode: row.get(6),
        added: number(7),
        changed: number(8),
        removed: number(9),
    }
}

/// Whether an operation was committed: its undo schema is there.
pub async fn was_done(target: &DatabaseUrl, operation: Uuid) -> Result<bool> {
    let session = Session::connect(target, Purpose::Read).await?;
    super::commit::exists(&session, &names::undo_schema(operation)).await
}

/// Drops the staging schemas of restores that died, and returns their names. While a restore runs, nothing is dropped.
pub async fn drop_leftovers(target: &DatabaseUrl) -> Result<Vec<String>> {
    let session = match work::lead(target).await {
        Err(e) if e.code == Code::RestoreRunning => return Ok(Vec::new()),
        other => other?,
    };
    let rows = session
        .query(
            "looking for leftovers",
            "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'staging\\_%' \
             AND obj_description(oid, 'pg_namespace') LIKE 'rovodev %'",
            &[],
        )
        .await?;
    let mut dropped = Vec::new();
    for schema in rows.iter().map(|r| r.get::<_, String>(0)) {
        if names::operation_of(&schema, STAGING).is_none() {
            continue;
        }
        session
            .batch("dropping a leftover", &stage::drop_schema(&schema))
            .await?;
        dropped.push(schema);
    }
    Ok(dropped)
}
