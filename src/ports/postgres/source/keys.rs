//! Foreign keys between tables that hold rows (partitioned tables are resolved to their leaves).

use super::super::Session;
use crate::core::ident::quote;
use crate::error::Result;
use tokio_postgres::Row;

/// One foreign key between two tables with rows of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    pub child: u32,
    pub parent: u32,
    /// Child column, parent column, and the equality operator (`OPERATOR("schema".=)`) of the key.
    pub columns: Vec<(String, String, String)>,
}

impl ForeignKey {
    /// `parent.key = child.key`, of these aliases.
    pub fn matches(&self, parent: &str, child: &str) -> String {
        let one = |(of_child, of_parent, operator): &(String, String, String)| {
            let (of_parent, of_child) = (quote(of_parent), quote(of_child));
            format!("{parent}.{of_parent} {operator} {child}.{of_child}")
        };
        self.columns
            .iter()
            .map(one)
            .collect::<Vec<_>>()
            .join(" AND ")
    }
}

const FOREIGN_KEYS: &str = "WITH leaves AS ( \
     SELECT c.oid AS root, CASE c.relkind WHEN 'p' THEN t.relid::oid ELSE c.oid END AS leaf FROM pg_class c \
     LEFT JOIN LATERAL pg_partition_tree(c.oid) t ON c.relkind = 'p' \
     WHERE c.relkind IN ('r', 'p') AND (c.relkind = 'r' OR t.isleaf)) \
   SELECT DISTINCT child.leaf, parent.leaf, \
     ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(num, place) \
           JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.place), \
     ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(num, place) \
           JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.place), \
     ARRAY(SELECT n.nspname::text FROM unnest(k.conpfeqop) WITH ORDINALITY u(op, place) \
           JOIN pg_operator o ON o.oid = u.op JOIN pg_namespace n ON n.oid = o.oprnamespace ORDER BY u.place), \
     ARRAY(SELECT o.oprname::text FROM unnest(k.conpfeqop) WITH ORDINALITY u(op, place) \
           JOIN pg_operator o ON o.oid = u.op ORDER BY u.place) \
   FROM pg_constraint k JOIN leaves child ON child.root = k.conrelid JOIN leaves parent ON parent.root = k.confrelid \
   WHERE k.contype = 'f' AND k.conparentid = 0";

/// All foreign keys of the database, in one query.
pub async fn foreign_keys(session: &Session) -> Result<Vec<ForeignKey>> {
    let rows = session
        .query("reading the foreign keys", FOREIGN_KEYS, &[])
        .await?;
    Ok(rows.iter().map(foreign_key).collect())
}

fn foreign_key(row: &Row) -> ForeignKey {
    let texts = |i: usize| row.get::<_, Vec<String>>(i);
    let operators = texts(4).into_iter().zip(texts(5));
    let columns = texts(2)
        .into_iter()
        .zip(texts(3))
        .zip(operators)
        .map(|((child, parent), (schema, name))| {
            (
                child,
                parent,
                format!("OPERATOR({}.{name})", quote(&schema)),
            )
        })
        .collect();
    ForeignKey {
        child: row.get(0),
        parent: row.get(1),
        columns,
    }
}
