//! The planner's statistics of live tables. Of one that has grown many times over since they were gathered (filled just
//! now, before autovacuum came by), the planner expects a fraction of the rows, and compares each with each.

use super::merge::Done;
use super::work::Work;
use crate::core::ident::QName;
use crate::core::merge::Unit;
use crate::core::merge::apply::Counts;
use crate::error::Result;
use std::collections::BTreeSet;
use tokio_postgres::Row;

/// Tables concerned, leaves alone, that grew too much since statistics were gathered: `$1` names, `$2` rows written now.
const STALE: &str = "SELECT n.nspname, c.relname FROM unnest($1::text[], $2::bigint[]) AS t (name, written), \
    LATERAL (SELECT to_regclass(t.name)::oid AS oid UNION \
             SELECT relid FROM pg_partition_tree(to_regclass(t.name)) WHERE isleaf) AS leaf \
    JOIN pg_class c ON c.oid = leaf.oid JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE') AND (t.written > c.reltuples AND t.written > 0 \
    OR pg_relation_size(c.oid) / current_setting('block_size')::int > 2 * c.relpages + 16) ORDER BY c.oid";

/// Rows written to a table from which on statistics are worth the time that writers wait for them.
const MANY: u64 = 1000;

const DOING: &str = "reading statistics";

/// Gathers statistics of the tables to be merged, and of those that refer to them or are referred to, where they are
/// out of date. A table that is locked is passed over.
pub async fn gather(work: &Work) -> Result<()> {
    let mut tables: BTreeSet<&QName> = work.merged().map(|(_, unit)| &unit.table).collect();
    tables.extend(work.keys.iter().flat_map(|key| [&key.child, &key.parent]));
    let tables = tables.into_iter().map(|table| (table, 0)).collect();
    analyze(work, stale(work, tables).await?).await
}

/// After much was written: of what is kept for the undo, and of tables that hold more new rows than they had. Of a table
/// that was emptied and is full again the planner would expect one row.
pub async fn gather_written(work: &Work, counts: &Done) -> Result<()> {
    let written = |unit: &Unit| counts.get(&unit.number).map_or(0, Counts::total);
    let units: Vec<&Unit> = (work.merged().map(|(_, unit)| unit))
        .filter(|unit| written(unit) >= MANY)
        .collect();
    let live = units.iter().map(|unit| (&unit.table, written(unit)));
    let mut tables = match units.is_empty() {
        true => vec![],
        false => stale(work, live.collect()).await?,
    };
    tables.extend(units.iter().map(|unit| work.names.kept(unit)));
    analyze(work, tables).await
}

/// Those of the tables, with the rows written now, whose statistics are out of date.
async fn stale(work: &Work, tables: Vec<(&QName, u64)>) -> Result<Vec<String>> {
    let names: Vec<String> = tables.iter().map(|(table, _)| table.sql()).collect();
    let written: Vec<i64> = tables.iter().map(|(_, rows)| rows.cast_signed()).collect();
    let rows = work
        .session
        .query(DOING, STALE, &[&names, &written])
        .await?;
    let name = |row: &Row| QName::new(row.get::<_, String>(0), row.get::<_, String>(1)).sql();
    Ok(rows.iter().map(name).collect())
}

async fn analyze(work: &Work, tables: Vec<String>) -> Result<()> {
    match tables.is_empty() {
        true => Ok(()),
        false => {
            let sql = format!("ANALYZE (SKIP_LOCKED) {}", tables.join(", "));
            work.session.batch(DOING, &sql).await
        }
    }
}
