//! Staging: unlogged copies of the backup's rows, with the target's types.

use super::{Names, Unit};
use crate::core::ident;

/// Everything but the tables for rows. The comment tells which backup and shapes it was made for.
pub fn create_schema(names: &Names, stamp: &str) -> String {
    let schema = ident::quote(&names.staging_schema());
    let decision =
        "(unit int NOT NULL, op text NOT NULL, sid tid, loid oid, lid tid, replace bool NOT NULL)";
    [
        format!("CREATE SCHEMA {schema}"),
        format!("COMMENT ON SCHEMA {schema} IS {}", ident::literal(stamp)),
        format!("CREATE TABLE {} (unit int, chunk int, rows bigint NOT NULL, PRIMARY KEY (unit, chunk))", names.chunks()),
        format!("CREATE UNLOGGED TABLE {} {decision}", names.found()),
        format!("CREATE UNLOGGED TABLE {} {decision}", names.decided()),
        format!("CREATE UNLOGGED TABLE {} (unit int NOT NULL, loid oid NOT NULL, lid tid NOT NULL)", names.touched()),
        format!(
            "CREATE UNLOGGED TABLE {} (side text NOT NULL, unit int NOT NULL, rel oid NOT NULL, tid tid NOT NULL, \
             owned bool NOT NULL, PRIMARY KEY (side, unit, rel, tid))",
            names.members()
        ),
        format!("CREATE INDEX ON {} (unit, op)", names.found()),
        format!("CREATE INDEX ON {} (unit, op)", names.decided()),
    ]
    .join("; ")
}

pub fn drop_schema(schema: &str) -> String {
    format!("DROP SCHEMA IF EXISTS {} CASCADE", ident::quote(schema))
}

/// Takes types, type modifiers and collations from the target, and nothing that checks or fills in. Columns of the key
/// that the target computes are computed here too; columns of the backup that are ignored are text.
pub fn create_table(names: &Names, unit: &Unit) -> String {
    let columns: Vec<_> = unit.names().collect();
    let values = names.values(unit);
    let computed = unit.computed_key().map(|g| {
        format!(
            "; ALTER TABLE {values} ADD {} {} GENERATED ALWAYS AS ({}) STORED",
            ident::quote(&g.name),
            g.type_name,
            g.expression
        )
    });
    let ignored = unit
        .ignored
        .iter()
        .map(|name| format!("; ALTER TABLE {values} ADD {} text", ident::quote(name)));
    let computed: String = computed.chain(ignored).collect();
    format!(
        "CREATE UNLOGGED TABLE {} WITH (autovacuum_enabled = false) AS SELECT {} FROM {} WITH NO DATA{computed}",
        values,
        columns.join(", "),
        unit.table.sql()
    )
}

/// `columns` are those of the segment: a partition may hold them in another order.
pub fn copy<'a>(names: &Names, unit: &Unit, columns: impl Iterator<Item = &'a str>) -> String {
    let list = ident::list(columns);
    let list = if list.is_empty() {
        list
    } else {
        format!(" ({list})")
    };
    format!("COPY {}{list} FROM STDIN", names.values(unit))
}

/// After the rows: a key to look rows up by, and statistics to plan by.
pub fn finish_table(names: &Names, unit: &Unit) -> String {
    let values = names.values(unit);
    if unit.key.is_empty() {
        return format!("ANALYZE {values}");
    }
    let key = ident::list(unit.key.iter().map(|k| k.name.as_str()));
    let name = format!("t{}_key", unit.number);
    format!("CREATE UNIQUE INDEX IF NOT EXISTS {name} ON {values} ({key}); ANALYZE {values}")
}

/// Rows that lie in staging, per unit.
pub fn counts(names: &Names, units: &[&Unit]) -> String {
    let each = units.iter().map(|u| {
        format!(
            "SELECT {}::int, count(*) FROM {}",
            u.number,
            names.values(u)
        )
    });
    each.collect::<Vec<_>>().join(" UNION ALL ")
}

/// Empties a unit's staging, so that its chunks are loaded again.
pub fn reset(names: &Names, unit: &Unit) -> String {
    let values = names.values(unit);
    format!(
        "DROP TABLE {values}; {}; DELETE FROM {} WHERE unit = {}",
        create_table(names, unit),
        names.chunks(),
        unit.number
    )
}
