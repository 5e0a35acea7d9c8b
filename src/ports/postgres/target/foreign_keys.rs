//! Reads foreign keys from and to the merged tables.

use super::super::Session;
use super::queries;
use crate::core::ident::QName;
use crate::core::merge::ForeignKey;
use crate::error::Result;
use tokio_postgres::Row;

/// Keys in which one of the tables is the child or the parent; a unit is a place in `oids`.
pub async fn foreign_keys(session: &Session, oids: &[u32]) -> Result<Vec<ForeignKey>> {
    let rows = session
        .query("reading foreign keys", queries::FOREIGN_KEYS, &[&oids])
        .await?;
    Ok(rows.iter().map(|row| foreign_key(row, oids)).collect())
}

fn foreign_key(row: &Row, oids: &[u32]) -> ForeignKey {
    let unit = |oid: u32| oids.iter().position(|o| *o == oid);
    let name = |schema: usize| {
        QName::new(
            row.get::<_, String>(schema),
            row.get::<_, String>(schema + 1),
        )
    };
    ForeignKey {
        name: row.get(0),
        child: name(2),
        child_partitioned: row.get(4),
        child_unit: unit(row.get(1)),
        parent: name(6),
        parent_partitioned: row.get(8),
        parent_unit: unit(row.get(5)),
        parent_partitions: row
            .get::<_, Vec<u32>>(15)
            .into_iter()
            .filter_map(unit)
            .collect(),
        columns: row.get(9),
        parent_columns: row.get(10),
        equals: row.get(11),
        full: row.get(12),
        validated: row.get(13),
        parent_lockable: row.get(14),
    }
}
