//! What restores did here, and what dead ones left behind.

use super::commit::{exists, moment};
use super::{refresh, work};
use crate::core::ident;
use crate::core::managed::{STAGING, UNDO};
use crate::core::manifest::Scope;
use crate::core::merge::{Unit, names, stage};
use crate::error::{Code, Error, Result};
use crate::ports::postgres::{DatabaseUrl, Purpose, Session};
use crate::tasks::backups::{has_digits, short_id};
use crate::tasks::restore::lock;
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// How the comment of a dry run's staging schema begins.
pub(super) const DRY_RUN: &str = "rovodev dry run";

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
    /// What the kept rows take on disk.
    pub bytes: u64,
    /// The one tenant whose rows were restored.
    pub scope: Option<Scope>,
    /// Until when it is kept for an undo; none of older records, which stay until they are forgotten.
    pub undo_until: Option<DateTime<Utc>>,
}

/// The columns by which a record is known for one of ours.
const RECORDED: &[&str] = &[
    "id",
    "backup",
    "backup_name",
    "safety",
    "reverses",
    "at",
    "mode",
    "added",
    "changed",
    "removed",
    "units",
    "scope",
];

/// Committed operations whose rows are still kept, newest first.
pub async fn operations(target: &DatabaseUrl) -> Result<Vec<Operation>> {
    list(&Session::connect(target, Purpose::Read).await?).await
}

pub(super) async fn list(session: &Session) -> Result<Vec<Operation>> {
    let doing = "listing restores";
    // A schema counts only with its record: an app may have an `undo_…` of its own, with a table of that name.
    let schemas = session
        .query(
            doing,
            "SELECT n.nspname::text, (SELECT coalesce(sum(pg_total_relation_size(t.oid)), 0)::bigint FROM pg_class t \
               WHERE t.relnamespace = n.oid AND t.relkind = 'r') \
             FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'operation' \
             WHERE n.nspname LIKE 'undo\\_%' AND (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid \
               AND a.attname = ANY ($1) AND NOT a.attisdropped) = cardinality($1) AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')",
            &[&RECORDED],
        )
        .await?;
    let each: Vec<String> = schemas
        .iter()
        .filter_map(|r| Some((names::operation_of(r.get(0), UNDO)?, r)))
        .map(|(id, r)| {
            let (schema, bytes) = (r.get::<_, String>(0), r.get::<_, i64>(1));
            // Older records have no date.
            format!(
                "SELECT id::text, backup::text, backup_name, safety::text, reverses::text, \
                 extract(epoch FROM at)::float8, mode, added, changed, removed, {bytes}::bigint, scope, \
                 extract(epoch FROM (to_jsonb(o) ->> 'undo_until')::timestamptz)::float8 \
                 FROM {}.operation o WHERE id::text = '{id}'",
                ident::quote(&schema)
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
    Operation {
        id: id(0).unwrap_or_default(),
        backup: id(1).unwrap_or_default(),
        backup_name: row.get(2),
        safety: id(3),
        reverses: id(4),
        at: moment(row.get(5)),
        mode: row.get(6),
        added: number(7),
        changed: number(8),
        removed: number(9),
        bytes: number(10),
        scope: row
            .get::<_, Option<&str>>(11)
            .and_then(|text| serde_json::from_str(text).ok()),
        undo_until: row.get::<_, Option<f64>>(12).map(moment),
    }
}

/// The tables that an operation changed, as it recorded them.
pub(super) async fn units(session: &Session, operation: Uuid) -> Result<Vec<Unit>> {
    let sql = format!("SELECT units FROM {}", names::record(operation));
    let row = session
        .query_one("reading what a restore changed", &sql, &[])
        .await?;
    serde_json::from_str(row.get(0)).map_err(|e| {
        Error::new(Code::Internal, "the record of the restore cannot be read").source(e)
    })
}

/// Whether an operation was committed: its undo schema is there.
pub async fn was_done(target: &DatabaseUrl, operation: Uuid) -> Result<bool> {
    let session = Session::connect(target, Purpose::Read).await?;
    super::commit::exists(&session, &names::undo_schema(operation)).await
}

/// Restores that `undo` can reverse, newest first: no undos, and none that was undone.
pub async fn undoable(target: &DatabaseUrl) -> Result<Vec<Operation>> {
    let all = operations(target).await?;
    let open = |o: &&Operation| is_open(&all, o);
    Ok(all.iter().filter(open).cloned().collect())
}

fn is_open(all: &[Operation], operation: &Operation) -> bool {
    operation.reverses.is_none() && undone_by(all, operation.id).is_none()
}

/// The undo that took an operation back and was not taken back itself.
pub fn undone_by(all: &[Operation], operation: Uuid) -> Option<&Operation> {
    let undos = all.iter().filter(|o| o.reverses == Some(operation));
    // Nothing reverses what came after it, so this ends.
    undos.into_iter().find(|u| undone_by(all, u.id).is_none())
}

/// Drops what operations kept, so that they cannot be undone any more. With an undo goes what it had undone: that
/// would look as if it could be undone again. Returns all that is forgotten.
pub async fn forget(target: &DatabaseUrl, chosen: &[Uuid]) -> Result<Vec<Operation>> {
    let session = work::lead(target, None).await?;
    let all = list(&session).await?;
    let mut forgotten: Vec<Operation> = Vec::new();
    for id in chosen {
        let mut next = Some(*id);
        while let Some(found) = next.and_then(|id| all.iter().find(|o| o.id == id)) {
            if !forgotten.contains(found) {
                forgotten.push(found.clone());
            }
            next = found.reverses;
        }
    }
    // What was undone goes before its undo: alone it would look as if it could be undone.
    for operation in forgotten.iter().rev() {
        let drop = stage::drop_schema(&names::undo_schema(operation.id));
        session.batch("dropping what a restore kept", &drop).await?;
    }
    Ok(forgotten)
}

/// The operation by its id or four or more digits of it, as backups are called; `latest` is the newest restore that
/// was not undone.
pub async fn find_operation(target: &DatabaseUrl, wanted: &str) -> Result<Operation> {
    let all = operations(target).await?;
    if wanted == "latest" {
        let newest = all.iter().find(|o| is_open(&all, o));
        return newest.cloned().ok_or_else(|| none_open(target, &all));
    }
    let exact = Uuid::parse_str(wanted).ok();
    let fits = |o: &&Operation| match exact {
        Some(id) => o.id == id,
        None => has_digits(o.id, wanted),
    };
    let fitting: Vec<&Operation> = all.iter().filter(fits).collect();
    match fitting[..] {
        [] => Err(not_found(target, wanted)),
        [one] => Ok(one.clone()),
        _ => Err(ambiguous(wanted, &fitting)),
    }
}

fn ambiguous(wanted: &str, fitting: &[&Operation]) -> Error {
    let line = |o: &&Operation| {
        let at = o.at.format("%Y-%m-%d %H:%M:%S UTC");
        format!("\n  {}  {at}  of {}", short_id(o.id), o.backup_name)
    };
    let lines: String = fitting.iter().map(line).collect();
    let message = format!("{wanted:?} fits {} restores:{lines}", fitting.len());
    Error::new(Code::Usage, message).hint("Give the digits in front of the one that is meant.")
}

/// Nothing that `latest` could mean.
fn none_open(target: &DatabaseUrl, all: &[Operation]) -> Error {
    let code = Code::OperationNotFound;
    match all.is_empty() {
        true => Error::new(code, format!("no restore is kept in {target}"))
            .hint("Restores in place keep what they change until it is forgotten, for their undo."),
        false => Error::new(
            code,
            format!("every restore that is kept in {target} is undone already"),
        )
        .hint(
            "`rovodev restore --list-undo` lists them. To bring one back, reverse its undo by the undo's own id.",
        ),
    }
}

/// No such operation is kept.
pub fn not_found(target: &DatabaseUrl, operation: &str) -> Error {
    Error::new(
        Code::OperationNotFound,
        format!("no restore {operation:?} is kept in {target}"),
    )
    .hint("`rovodev restore --list-undo` lists the restores that are kept.")
}

/// Drops the staging schemas of restores that died, and returns their names. While a restore runs, nothing is dropped.
pub async fn drop_leftovers(target: &DatabaseUrl) -> Result<Vec<String>> {
    match work::lead(target, None).await {
        Err(e) if e.code == Code::RestoreRunning => Ok(Vec::new()),
        session => drop_dead(target, &session?, None).await,
    }
}

/// Drops every staging schema but that of `spared`; the session leads, so that no restore owns any. Dry runs may.
async fn drop_dead(
    target: &DatabaseUrl,
    session: &Session,
    spared: Option<Uuid>,
) -> Result<Vec<String>> {
    let rows = session
        .query(
            "looking for leftovers",
            "SELECT nspname::text, obj_description(oid, 'pg_namespace') LIKE $1 FROM pg_namespace \
             WHERE nspname LIKE 'staging\\_%' AND obj_description(oid, 'pg_namespace') LIKE 'rovodev %'",
            &[&format!("{DRY_RUN}%")],
        )
        .await?;
    let dead = |r: &&tokio_postgres::Row| {
        let operation = names::operation_of(r.get(0), STAGING);
        operation.is_some() && operation != spared
    };
    let (dry_runs, restores): (Vec<_>, Vec<_>) =
        rows.iter().filter(dead).partition(|r| r.get::<_, bool>(1));
    finish(target, session, &restores).await;
    let mut dropped = drop_all(session, &restores).await?;
    if !dry_runs.is_empty() && lock::hold_off_dry_runs(session).await? {
        let done = drop_all(session, &dry_runs).await;
        lock::allow_dry_runs(session).await?;
        dropped.extend(done?);
    }
    Ok(dropped)
}

/// Drops what died before this restore; what cannot be dropped does not keep it from going on.
pub(super) async fn clear(target: &DatabaseUrl, session: &Session, spared: Option<Uuid>) {
    if let Err(e) = drop_dead(target, session, spared).await {
        tracing::warn!("leftovers of an earlier restore stay: {e}");
    }
}

/// One that died between its commit and the end of its work may not have refreshed the materialized views over what it
/// changed, and the next restore finds no row to change any more.
async fn finish(target: &DatabaseUrl, session: &Session, staged: &[&tokio_postgres::Row]) {
    for schema in staged.iter().map(|r| r.get::<_, &str>(0)) {
        let Some(operation) = names::operation_of(schema, STAGING) else {
            continue;
        };
        let refreshed = async {
            match exists(session, &names::undo_schema(operation)).await? {
                true => refresh::refresh_after(target, operation).await,
                false => Ok(Vec::new()),
            }
        };
        match refreshed.await {
            Ok(warnings) => warnings
                .iter()
                .for_each(|w| tracing::warn!("{}", w.message)),
            Err(e) => tracing::warn!("views of restore {operation} were not refreshed: {e}"),
        }
    }
}

async fn drop_all(session: &Session, schemas: &[&tokio_postgres::Row]) -> Result<Vec<String>> {
    let mut dropped = Vec::new();
    for schema in schemas.iter().map(|r| r.get::<_, String>(0)) {
        session
            .batch("dropping a leftover", &stage::drop_schema(&schema))
            .await?;
        dropped.push(schema);
    }
    Ok(dropped)
}
