//! Reads tables, their columns, keys, checks and triggers.

use super::super::Session;
use super::queries;
use super::{Fires, TargetColumn, TargetTable, TargetTrigger};
use crate::core::ident::QName;
use crate::core::merge::KeyColumn;
use crate::core::merge::constraints::{Check, Deferrable, Unique};
use crate::error::Result;
use std::collections::{BTreeMap, HashMap};
use tokio_postgres::Row;

const DOING: &str = "reading the target's tables";

/// What the target has under a name.
#[derive(Debug, Clone)]
pub struct Found {
    pub oid: u32,
    /// A table or a partitioned table, not a view or a foreign table.
    pub is_table: bool,
    pub partitioned: bool,
    pub leaves: Vec<QName>,
    /// Whether rows of the partitioned table lie on another server.
    pub has_foreign_partition: bool,
}

/// Looks names up.
pub async fn find(session: &Session, names: &[QName]) -> Result<HashMap<QName, Found>> {
    let schemas: Vec<&str> = names.iter().map(|n| n.schema.as_str()).collect();
    let tables: Vec<&str> = names.iter().map(|n| n.name.as_str()).collect();
    let rows = session
        .query(DOING, queries::FIND, &[&schemas, &tables])
        .await?;
    let found = rows.iter().map(|row| {
        let kind = row.get::<_, i8>(3).cast_unsigned();
        let found = Found {
            oid: row.get(0),
            is_table: matches!(kind, b'r' | b'p'),
            partitioned: kind == b'p',
            leaves: std::iter::zip(row.get::<_, Vec<String>>(4), row.get::<_, Vec<String>>(5))
                .map(|(schema, name)| QName { schema, name })
                .collect(),
            has_foreign_partition: row.get(6),
        };
        (
            QName::new(row.get::<_, String>(1), row.get::<_, String>(2)),
            found,
        )
    });
    Ok(found.collect())
}

/// Reads tables by OID. Names print qualified, whatever the session's `search_path`.
pub async fn tables(session: &Session, oids: &[u32]) -> Result<Vec<TargetTable>> {
    let ask = |sql: &'static str| {
        let oids = &oids;
        async move { session.query(DOING, sql, &[oids]).await }
    };
    let (tables, columns, keys, special, members, checks, triggers, deferrable, unique) = tokio::try_join!(
        ask(queries::TABLES),
        ask(queries::COLUMNS),
        ask(queries::KEYS),
        ask(queries::SPECIAL),
        ask(queries::MEMBERS),
        ask(queries::CHECKS),
        ask(queries::TRIGGERS),
        ask(queries::DEFERRABLE),
        ask(queries::UNIQUE),
    )?;
    let mut read: BTreeMap<u32, TargetTable> = tables.iter().map(table).collect();
    let mut each = |rows: &[Row], add: fn(&mut TargetTable, &Row)| {
        for row in rows {
            if let Some(table) = read.get_mut(&row.get::<_, u32>(0)) {
                add(table, row);
            }
        }
    };
    each(&columns, add_column);
    each(&keys, add_key);
    each(&special, |t, row| t.special.push(row.get(1)));
    each(&members, add_member);
    each(&checks, add_check);
    each(&triggers, add_trigger);
    each(&deferrable, add_deferrable);
    each(&unique, add_unique);
    Ok(read.into_values().collect())
}

/// What adding columns gave the rows that were there, as text, by column.
pub async fn given(session: &Session, oid: u32) -> Result<HashMap<String, Vec<String>>> {
    let rows = session.query(DOING, queries::GIVEN, &[&oid]).await?;
    Ok(rows.iter().map(|r| (r.get(0), r.get(1))).collect())
}

fn table(row: &Row) -> (u32, TargetTable) {
    let table = TargetTable {
        oid: row.get(0),
        name: QName::new(row.get::<_, String>(1), row.get::<_, String>(2)),
        partitioned: row.get(3),
        columns: Vec::new(),
        key: Vec::new(),
        special: Vec::new(),
        files: BTreeMap::new(),
        checks: Vec::new(),
        triggers: Vec::new(),
        deferrable: Vec::new(),
        unique: Vec::new(),
        published_without_identity: Vec::new(),
        indexes: 0,
        missing_rights: row.get(5),
        row_security: row.get(4),
    };
    (table.oid, table)
}

fn add_column(table: &mut TargetTable, row: &Row) {
    table.columns.push(TargetColumn {
        name: row.get(1),
        type_name: row.get(2),
        not_null: row.get(3),
        has_default: row.get(4),
        generated: row.get(5),
        identity_always: row.get(6),
        expression: row.get(7),
    });
}

fn add_key(table: &mut TargetTable, row: &Row) {
    table.key.push(KeyColumn {
        name: row.get(1),
        equals: row.get(2),
    });
}

fn add_member(table: &mut TargetTable, row: &Row) {
    table.files.insert(row.get(1), row.get(2));
    table.indexes += row.get::<_, i32>(5).unsigned_abs();
    if row.get(6) {
        let name = QName::new(row.get::<_, String>(3), row.get::<_, String>(4));
        table.published_without_identity.push(name);
    }
}

fn add_check(table: &mut TargetTable, row: &Row) {
    table.checks.push(Check {
        name: row.get(1),
        expression: row.get(2),
        columns: row.get(3),
    });
}

fn add_trigger(table: &mut TargetTable, row: &Row) {
    table.triggers.push(TargetTrigger {
        table: QName::new(row.get::<_, String>(1), row.get::<_, String>(2)),
        name: row.get(3),
        fires: match row.get::<_, i8>(4).cast_unsigned() {
            b'A' => Fires::Always,
            b'R' => Fires::Replica,
            _ => Fires::Origin,
        },
        is_rule: row.get(5),
        owned: row.get(6),
    });
}

fn add_deferrable(table: &mut TargetTable, row: &Row) {
    let columns: Vec<Option<String>> = row.get(3);
    table.deferrable.push(Deferrable {
        name: row.get(1),
        predicate: row.get(2),
        has_expression: columns.iter().any(Option::is_none),
        columns: columns.into_iter().flatten().collect(),
        operators: row.get(4),
    });
}

fn add_unique(table: &mut TargetTable, row: &Row) {
    table.unique.push(Unique {
        name: row.get(1),
        predicate: row.get(2),
        values: row.get(3),
        operators: row.get(4),
        columns: row.get(5),
    });
}
