//! What a database is and holds, at a glance: one round trip.

use super::Session;
use super::source::CATALOG_MARKER;
use crate::core::ident::QName;
use crate::core::managed;
use crate::error::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::ToSql;

/// Sizes are exact, row counts are the server's estimates.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    pub database: String,
    pub server_version: String,
    /// As `server_version_num`.
    pub server_version_num: u32,
    pub role: String,
    /// Superuser or BYPASSRLS: no row is hidden from the role.
    pub bypasses_row_security: bool,
    /// A standby: it can be backed up, not restored into.
    pub standby: bool,
    pub database_bytes: u64,
    /// Tables that a backup takes: the app's, without the platform's, extensions', the catalog's and our own.
    /// Partitions count one by one.
    pub tables: u64,
    pub estimated_rows: u64,
    /// Tables and sequences of the app that the role may not read: a backup of them is refused.
    pub unreadable: u64,
    /// One of them.
    pub unreadable_example: Option<String>,
    /// Restores into this database that stopped before their end, by their markers.
    pub unfinished_restores: Vec<UnfinishedRestore>,
    /// When the last transaction committed; known only with `track_commit_timestamp`.
    pub last_write: Option<String>,
    /// Largest first; empty unless asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub largest_tables: Vec<TableSize>,
}

/// A database with such a marker is incomplete. Where another session restores at this moment, it is still on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnfinishedRestore {
    /// The schema that marks it.
    pub marker: String,
    /// Which backup, for people.
    pub comment: Option<String>,
    pub running: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableSize {
    #[serde(flatten)]
    pub table: QName,
    pub estimated_rows: u64,
    /// With indexes and TOAST.
    pub bytes: u64,
}

/// `$1` leaves schemas out that are not the app's; `$2` asks for the sizes of single tables; `$3` is the catalog's own
/// comment, `$4` the names of restores' markers, `$5` and `$6` the lock of a running restore.
const SQL: &str = "\
WITH app AS (
    SELECT c.oid, n.nspname, c.relname,
           CASE WHEN c.reltuples < 0 THEN pg_stat_get_live_tuples(c.oid) ELSE c.reltuples::bigint END AS rows
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ $1
      AND coalesce(obj_description(c.oid, 'pg_class') NOT LIKE $3, true)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), unreadable AS (
    SELECT pg_catalog.format('%s.%s', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'S') AND c.relpersistence <> 't' AND n.nspname !~ $1
      AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
      AND coalesce(obj_description(c.oid, 'pg_class') NOT LIKE $3, true)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), unfinished AS (
    SELECT n.nspname AS marker, obj_description(n.oid, 'pg_namespace') AS comment,
           EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
                   WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint = $5::bigint AND l.objid::bigint = $6::bigint) AS running
    FROM pg_namespace n WHERE n.nspname ~ $4
), sized AS (
    SELECT *, pg_total_relation_size(oid) AS bytes FROM app WHERE $2
)
SELECT current_setting('server_version'), r.rolname::text, r.rolsuper OR r.rolbypassrls, pg_is_in_recovery(),
       pg_database_size(current_database()), (SELECT count(*) FROM app),
       (SELECT coalesce(sum(rows), 0)::bigint FROM app),
       CASE WHEN current_setting('track_commit_timestamp') = 'on' AND NOT pg_is_in_recovery()
            THEN (SELECT to_char(x.timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM pg_last_committed_xact() x) END,
       (SELECT coalesce(json_agg(json_build_object('schema', nspname, 'name', relname, 'estimatedRows', rows,
               'bytes', bytes) ORDER BY bytes DESC, nspname, relname), '[]')::text FROM sized),
       (SELECT count(*) FROM unreadable), (SELECT min(name) FROM unreadable),
       (SELECT coalesce(json_agg(u ORDER BY marker), '[]')::text FROM unfinished u)
FROM pg_roles r WHERE r.rolname = current_user";

/// `each_table` adds the tables one by one; their sizes take a moment where there are thousands.
pub async fn overview(session: &Session, each_table: bool) -> Result<Overview> {
    let hidden = managed::not_app_regex();
    let (catalog, markers) = (
        format!("{CATALOG_MARKER}%"),
        managed::restore_marker_regex(),
    );
    let values: [&(dyn ToSql + Sync); 6] = [
        &hidden,
        &each_table,
        &catalog,
        &markers,
        &managed::RESTORE_LOCK.0,
        &managed::RESTORE_LOCK.1,
    ];
    let row = session
        .query_one("looking at the database", SQL, &values)
        .await?;
    let number = |i: usize| row.get::<_, i64>(i).unsigned_abs();
    let unreadable = |e| {
        Error::new(
            Code::Internal,
            "the overview of the database cannot be read",
        )
        .source(e)
    };
    let largest_tables = serde_json::from_str(row.get(8)).map_err(unreadable)?;
    let unfinished_restores = serde_json::from_str(row.get(11)).map_err(unreadable)?;
    Ok(Overview {
        database: session.identity.database.clone(),
        server_version: row.get(0),
        server_version_num: session.identity.version,
        role: row.get(1),
        bypasses_row_security: row.get(2),
        standby: row.get(3),
        database_bytes: number(4),
        tables: number(5),
        estimated_rows: number(6),
        unreadable: number(9),
        unreadable_example: row.get(10),
        unfinished_restores,
        last_write: row.get(7),
        largest_tables,
    })
}
