//! The list of what can be backed up.

use super::super::Session;
use super::CATALOG_MARKER;
use crate::core::ident::QName;
use crate::core::managed;
use crate::core::manifest::{Column, Identity, Sequence, TableKind};
use crate::error::Result;
use std::collections::HashMap;
use tokio_postgres::Row;

/// Everything of a database that belongs to the app. Comparable, so that a change between two listings shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// Tables with rows of their own: plain tables and partition leaves.
    pub tables: Vec<Listed>,
    /// Their partitions stand among the tables.
    pub partitioned_tables: Vec<QName>,
    /// Tables of the platform's schemas, which take part where that is asked for.
    pub platform_tables: Vec<Listed>,
    /// Foreign keys into these: a table, and the one to which it refers.
    pub platform_keys: Vec<(QName, QName)>,
    pub materialized_views: Vec<QName>,
    pub foreign_tables: Vec<QName>,
    pub sequences: Vec<Sequence>,
    pub unreadable_sequences: Vec<QName>,
    /// A sequence and a table whose default takes numbers from it, whoever owns it.
    pub feeds: Vec<(QName, QName)>,
    /// Tables and schemas of the catalog, which take no part.
    pub catalog_tables: Vec<QName>,
    pub catalog_schemas: Vec<String>,
    pub large_objects: u64,
    /// Whether the role sees every row whatever the policies say.
    pub bypasses_row_security: bool,
    pub superuser: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub oid: u32,
    pub name: QName,
    pub kind: TableKind,
    pub relfilenode: u32,
    pub unlogged: bool,
    /// The partitioned tables above a partition, the nearest first.
    pub above: Vec<QName>,
    pub columns: Vec<Column>,
    pub primary_key: Vec<String>,
    pub shape: String,
    pub readable: bool,
    /// Row level security would hide rows from this role.
    pub row_security: bool,
    pub indexes: u32,
}

/// Rights on what was dropped a moment ago are NULL; the comparison of two listings finds that, not this.
const RELATIONS: &str = "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind, c.relpersistence, \
     coalesce(a.amname = 'heap', false), pg_relation_filenode(c.oid), r.schemas, r.names, \
     coalesce(obj_description(c.oid, 'pg_class') LIKE $1, false) OR coalesce(obj_description(n.oid, 'pg_namespace') LIKE $1, false), \
     coalesce(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'), true), \
     coalesce(c.relrowsecurity AND (c.relforcerowsecurity OR NOT pg_has_role(c.relowner, 'USAGE')), false), \
     (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid)::int, \
     ARRAY(SELECT t.attname::text FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY k(num, place) \
           JOIN pg_attribute t ON t.attrelid = i.indrelid AND t.attnum = k.num \
           WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.place) \
   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am a ON a.oid = c.relam \
   LEFT JOIN LATERAL (SELECT array_agg(rn.nspname::text ORDER BY u.place) AS schemas, array_agg(rc.relname::text ORDER BY u.place) AS names \
        FROM pg_partition_ancestors(c.oid) WITH ORDINALITY u(oid, place) JOIN pg_class rc ON rc.oid = u.oid \
        JOIN pg_namespace rn ON rn.oid = rc.relnamespace WHERE c.relispartition AND rc.oid <> c.oid) r ON true \
   WHERE (c.relkind IN ('r', 'f', 'p') OR c.relkind = 'm' AND c.relispopulated) AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%' \
     AND n.nspname <> 'information_schema' \
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') \
   ORDER BY n.nspname, c.relname";

const COLUMNS: &str = "SELECT a.attrelid, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, \
     a.attgenerated <> '', concat_ws(' ', a.attnum, a.atttypid, a.atttypmod, a.attcollation, a.attgenerated, \
       a.attmissingval::text, pg_get_expr(d.adbin, d.adrelid)) \
   FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
   LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
   WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' \
     AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum";

const SEQUENCES: &str = "SELECT s.schemaname::text, s.sequencename::text, coalesce(s.last_value, s.start_value), \
     s.last_value IS NOT NULL, s.increment_by, tn.nspname::text, t.relname::text, \
     coalesce(has_schema_privilege(n.oid, 'USAGE') AND has_sequence_privilege(c.oid, 'SELECT'), true), \
     coalesce(obj_description(t.oid, 'pg_class') LIKE $1, false) OR coalesce(obj_description(n.oid, 'pg_namespace') LIKE $1, false) \
   FROM pg_sequences s JOIN pg_namespace n ON n.nspname = s.schemaname \
   JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.sequencename \
   LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i') \
        AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 \
   LEFT JOIN pg_class t ON t.oid = d.refobjid LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace \
   WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e') \
   ORDER BY 1, 2";

const FEEDS: &str = "SELECT sn.nspname::text, s.relname::text, tn.nspname::text, t.relname::text FROM pg_depend d \
   JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S' JOIN pg_namespace sn ON sn.oid = s.relnamespace \
   JOIN pg_attrdef a ON a.oid = d.objid JOIN pg_class t ON t.oid = a.adrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace \
   WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass ORDER BY 1, 2, 3, 4";

const PLATFORM_KEYS: &str = "SELECT DISTINCT cn.nspname::text, c.relname::text, pn.nspname::text, p.relname::text FROM pg_constraint k \
   JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace \
   JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace \
   WHERE k.contype = 'f' AND pn.nspname ~ $1 AND c.oid <> p.oid ORDER BY 1, 2, 3, 4";

/// Materialized views in the order in which they can be refreshed: those that others read come first.
const REFRESH_ORDER: &str = "WITH RECURSIVE uses AS ( \
     SELECT DISTINCT r.ev_class AS view, d.refobjid AS used FROM pg_rewrite r \
     JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass \
     JOIN pg_class u ON u.oid = d.refobjid AND u.relkind IN ('v', 'm') WHERE d.refobjid <> r.ev_class), \
   depth(view, level) AS ( \
     SELECT oid, 0 FROM pg_class WHERE relkind IN ('v', 'm') \
     UNION SELECT uses.view, depth.level + 1 FROM depth JOIN uses ON uses.used = depth.view WHERE depth.level < 1000) \
   SELECT view, max(level) FROM depth GROUP BY view";

const CATALOG_SCHEMAS: &str = "SELECT n.nspname::text FROM pg_namespace n \
   WHERE obj_description(n.oid, 'pg_namespace') LIKE $1 ORDER BY 1";

const ROLE: &str = "SELECT r.rolsuper OR r.rolbypassrls, r.rolsuper, (SELECT count(*) FROM pg_largeobject_metadata) \
   FROM pg_roles r WHERE r.rolname = current_user";

/// Lists the database. Eight queries, sent together.
pub async fn list(session: &Session) -> Result<Listing> {
    let doing = "listing the tables";
    let marker = format!("{CATALOG_MARKER}%");
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&marker];
    let not_app = managed::not_app_regex();
    let schemas: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&not_app];
    let (relations, columns, sequences, feeds, keys, order, catalog, role) = tokio::try_join!(
        session.query(doing, RELATIONS, &values),
        session.query(doing, COLUMNS, &[]),
        session.query(doing, SEQUENCES, &values),
        session.query(doing, FEEDS, &[]),
        session.query(doing, PLATFORM_KEYS, &schemas),
        session.query(doing, REFRESH_ORDER, &[]),
        session.query(doing, CATALOG_SCHEMAS, &values),
        session.query_one(doing, ROLE, &[]),
    )?;
    let mut listing = Listing {
        bypasses_row_security: role.get(0),
        superuser: role.get(1),
        large_objects: role.get::<_, i64>(2).unsigned_abs(),
        catalog_schemas: catalog.iter().map(|r| r.get(0)).collect(),
        ..Listing::default()
    };
    (listing.sequences, listing.unreadable_sequences) = read_sequences(session, &sequences).await?;
    let name = |r: &Row, at: usize| QName::new(r.get::<_, String>(at), r.get::<_, String>(at + 1));
    listing.feeds = feeds.iter().map(|r| (name(r, 0), name(r, 2))).collect();
    listing.platform_keys = keys.iter().map(|r| (name(r, 0), name(r, 2))).collect();
    let mut shapes = shapes(&columns);
    let depth: HashMap<u32, i32> = order.iter().map(|r| (r.get(0), r.get(1))).collect();
    let mut views = Vec::new();
    for row in &relations {
        let name = QName::new(row.get::<_, String>(1), row.get::<_, String>(2));
        if !managed::is_app(&name.schema) {
            let is_table = row.get::<_, i8>(3).cast_unsigned() == b'r' && !row.get::<_, bool>(9);
            if is_table && managed::is_platform(&name.schema) {
                let listed = table(row, name, &mut shapes);
                listing.platform_tables.push(listed);
            }
            continue;
        }
        match row.get::<_, i8>(3).cast_unsigned() {
            b'm' => views.push((depth.get(&row.get::<_, u32>(0)).copied().unwrap_or(0), name)),
            b'f' => listing.foreign_tables.push(name),
            b'p' => listing.partitioned_tables.push(name),
            _ if row.get(9) => listing.catalog_tables.push(name),
            _ => listing.tables.push(table(row, name, &mut shapes)),
        }
    }
    views.sort();
    listing.materialized_views = views.into_iter().map(|(_, name)| name).collect();
    Ok(listing)
}

fn table(row: &Row, name: QName, shapes: &mut HashMap<u32, Shape>) -> Listed {
    let oid: u32 = row.get(0);
    let shape = shapes.remove(&oid).unwrap_or_default();
    let names = |column: usize| {
        row.get::<_, Option<Vec<String>>>(column)
            .unwrap_or_default()
    };
    let above = names(7).into_iter().zip(names(8));
    Listed {
        oid,
        name,
        kind: if row.get(5) {
            TableKind::Heap
        } else {
            TableKind::Other
        },
        relfilenode: row.get::<_, Option<u32>>(6).unwrap_or(0),
        unlogged: row.get::<_, i8>(4).cast_unsigned() == b'u',
        above: above.map(|(s, n)| QName::new(s, n)).collect(),
        columns: shape.columns,
        primary_key: row.get(13),
        shape: shape.hash.finalize().to_hex().to_string(),
        readable: row.get(10),
        row_security: row.get(11),
        indexes: row.get::<_, i32>(12).unsigned_abs(),
    }
}

#[derive(Default)]
struct Shape {
    columns: Vec<Column>,
    hash: blake3::Hasher,
}

fn shapes(rows: &[Row]) -> HashMap<u32, Shape> {
    let mut shapes: HashMap<u32, Shape> = HashMap::new();
    for row in rows {
        let shape = shapes.entry(row.get(0)).or_default();
        let (name, type_name, facts): (String, String, String) =
            (row.get(1), row.get(2), row.get(6));
        for part in [&name, &type_name, &facts] {
            shape
                .hash
                .update(&(part.len() as u64).to_le_bytes())
                .update(part.as_bytes());
        }
        if row.get(5) {
            continue;
        }
        let identity = match row.get::<_, i8>(4).cast_unsigned() {
            b'a' => Some(Identity::Always),
            b'd' => Some(Identity::ByDefault),
            _ => None,
        };
        shape.columns.push(Column {
            name,
            type_name,
            not_null: row.get(3),
            identity,
        });
    }
    shapes
}

/// `pg_sequences` hides the value of a sequence that was not called yet (`setval(…, false)`), and of one that
/// the role may not read. The former are read themselves, many in one query; the latter are returned apart.
async fn read_sequences(session: &Session, rows: &[Row]) -> Result<(Vec<Sequence>, Vec<QName>)> {
    let (mut read, mut unreadable) = (Vec::new(), Vec::new());
    for row in rows {
        let sequence = sequence(row);
        if !managed::is_app(&sequence.name.schema) || row.get(8) {
            continue;
        }
        if row.get(7) {
            read.push(sequence)
        } else {
            unreadable.push(sequence.name)
        }
    }
    let uncalled: Vec<usize> = (0..read.len()).filter(|i| !read[*i].is_called).collect();
    for some in uncalled.chunks(200) {
        let parts: Vec<String> = some
            .iter()
            .map(|i| {
                format!(
                    "SELECT {i}::bigint, last_value, is_called FROM {}",
                    read[*i].name.sql()
                )
            })
            .collect();
        for row in session
            .query("reading sequences", &parts.join(" UNION ALL "), &[])
            .await?
        {
            let place = usize::try_from(row.get::<_, i64>(0)).unwrap_or_default();
            (read[place].last_value, read[place].is_called) = (row.get(1), row.get(2));
        }
    }
    Ok((read, unreadable))
}

fn sequence(row: &Row) -> Sequence {
    let owner = row
        .get::<_, Option<String>>(5)
        .zip(row.get::<_, Option<String>>(6));
    Sequence {
        name: QName::new(row.get::<_, String>(0), row.get::<_, String>(1)),
        last_value: row.get(2),
        is_called: row.get(3),
        increment: row.get(4),
        owned_by: owner.map(|(s, n)| QName::new(s, n)),
    }
}
