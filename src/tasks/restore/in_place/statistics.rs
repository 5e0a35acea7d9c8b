//! The planner's statistics of live tables. Of one that has grown many times over since they were gathered (filled just
//! now, before autovacuum came by), the planner expects a fraction of the rows, and compares each with each.

use super::work::Work;
use crate::core::ident::QName;
use crate::error::Result;
use std::collections::BTreeSet;
use tokio_postgres::Row;

/// Tables concerned, leaves alone, whose file is far larger than it was when statistics were gathered.
const STALE: &str = "SELECT n.nspname, c.relname FROM unnest($1::text[]) AS t (name), \
    LATERAL (SELECT to_regclass(t.name)::oid AS oid UNION \
             SELECT relid FROM pg_partition_tree(to_regclass(t.name)) WHERE isleaf) AS leaf \
    JOIN pg_class c ON c.oid = leaf.oid JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE') \
    AND pg_relation_size(c.oid) / current_setting('block_size')::int > 2 * c.relpages + 16 ORDER BY c.oid";

/// Gathers statistics of the tables to be merged, and of those that refer to them or are referred to, where they are
/// out of date. A table that is locked is passed over.
pub async fn gather(work: &Work) -> Result<()> {
    let doing = "reading statistics";
    let mut tables: BTreeSet<&QName> = work.merged().map(|(_, unit)| &unit.table).collect();
    tables.extend(work.keys.iter().flat_map(|key| [&key.child, &key.parent]));
    let names: Vec<String> = tables.iter().map(|table| table.sql()).collect();
    let rows = work.session.query(doing, STALE, &[&names]).await?;
    let name = |row: &Row| QName::new(row.get::<_, String>(0), row.get::<_, String>(1)).sql();
    let stale: Vec<String> = rows.iter().map(name).collect();
    match stale.is_empty() {
        true => Ok(()),
        false => {
            let sql = format!("ANALYZE (SKIP_LOCKED) {}", stale.join(", "));
            work.session.batch(doing, &sql).await
        }
    }
}
