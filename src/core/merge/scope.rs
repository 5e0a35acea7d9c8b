//! One tenant's rows: those whose column holds the tenant's value, the rows of tables without that column that
//! refer to them, and (in the backup) the shared rows that all these need.

use super::names::TID;
use super::{ForeignKey, Generated, Names, Unit};
use crate::core::ident;
use crate::core::manifest::Scope;

/// Where rows are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Staged,
    Live,
}

impl Side {
    fn literal(self) -> &'static str {
        match self {
            Side::Staged => "'staged'",
            Side::Live => "'live'",
        }
    }

    fn relation(self, names: &Names, unit: &Unit) -> String {
        match self {
            Side::Staged => names.values(unit),
            Side::Live => unit.live(),
        }
    }

    /// Staged rows lie in one table each, whose number stands in `unit`.
    fn rel(self, alias: &str) -> String {
        match self {
            Side::Staged => "0::oid".into(),
            Side::Live => format!("{alias}.tableoid"),
        }
    }
}

/// Units whose rows belong to tenants: they hold the column, or refer to such a unit and do not hold it.
pub fn owned_units(units: &[Unit], keys: &[ForeignKey], column: &str) -> Vec<bool> {
    let mut owned: Vec<bool> = units.iter().map(|u| u.holds(column)).collect();
    loop {
        let next = keys.iter().find_map(|k| {
            let (parent, child) = (k.parent_unit?, k.child_unit?);
            (owned[parent] && !owned[child]).then_some(child)
        });
        match next {
            Some(child) => owned[child] = true,
            None => return owned,
        }
    }
}

/// Rows that hold the tenant's value. The value stands as a literal: a cast to the column's type would cut it to a
/// `varchar(4)` or round it to a `numeric(4,0)`, and find another tenant.
pub fn by_column(names: &Names, unit: &Unit, side: Side, scope: &Scope) -> Option<String> {
    let computed = unit.generated.iter().find(|g| g.name == scope.column);
    if let (Side::Staged, Some(column)) = (side, computed) {
        return Some(by_computed_column(names, unit, column, scope));
    }
    unit.holds(&scope.column).then(|| {
        format!(
            "INSERT INTO {} SELECT {}, {}, {}, r.ctid, true FROM {} r WHERE r.{} = {}",
            names.members(),
            side.literal(),
            unit.number,
            side.rel("r"),
            side.relation(names, unit),
            ident::quote(&scope.column),
            ident::literal(&scope.value)
        )
    })
}

/// Staging holds no computed column: its expression is asked of each row, under the table's own name.
fn by_computed_column(names: &Names, unit: &Unit, column: &Generated, scope: &Scope) -> String {
    let columns: String = unit.names().map(|n| format!(", v.{n}")).collect();
    format!(
        "INSERT INTO {} SELECT {}, {}, 0::oid, {TID}, true FROM (SELECT v.ctid AS {TID}{columns} FROM {} v) {} \
         WHERE CAST(({}) AS {}) = {}",
        names.members(),
        Side::Staged.literal(),
        unit.number,
        names.values(unit),
        ident::quote(&unit.table.name),
        column.expression,
        column.type_name,
        ident::literal(&scope.value)
    )
}

/// Rows of a table without the column that refer to rows of the tenant. Repeated until none is added.
pub fn by_parent(
    names: &Names,
    fk: &ForeignKey,
    child: &Unit,
    parent: &Unit,
    side: Side,
) -> String {
    let (members, at) = (names.members(), side.literal());
    format!(
        "INSERT INTO {members} SELECT DISTINCT {at}, {c}, {rel}, r.ctid, true FROM {child_rows} r \
         JOIN {parent_rows} p ON {key} \
         JOIN {members} m ON m.side = {at} AND m.unit = {n} AND m.rel = {parent_rel} AND m.tid = p.ctid AND m.owned \
         ON CONFLICT DO NOTHING",
        c = child.number,
        rel = side.rel("r"),
        child_rows = side.relation(names, child),
        parent_rows = side.relation(names, parent),
        key = fk.matches("p", "r"),
        n = parent.number,
        parent_rel = side.rel("p"),
    )
}

/// Staged rows that members refer to. Repeated until none is added.
pub fn needed(names: &Names, fk: &ForeignKey, child: &Unit, parent: &Unit) -> String {
    let members = names.members();
    format!(
        "INSERT INTO {members} SELECT DISTINCT 'staged', {p}, 0::oid, p.ctid, false FROM {parent_rows} p \
         JOIN {child_rows} r ON {key} JOIN {members} m ON m.side = 'staged' AND m.unit = {c} AND m.tid = r.ctid \
         ON CONFLICT DO NOTHING",
        p = parent.number,
        parent_rows = names.values(parent),
        child_rows = names.values(child),
        key = fk.matches("p", "r"),
        c = child.number,
    )
}

/// Staged rows of each unit that are the tenant's or needed by them.
pub fn count_staged(names: &Names) -> String {
    format!(
        "SELECT unit, count(*) FROM {} WHERE side = 'staged' GROUP BY unit",
        names.members()
    )
}

/// Rows that the tenant's need and that differ, by unit: they may be somebody else's too.
pub fn shared_differences(names: &Names, table: &str) -> String {
    let members = names.members();
    format!(
        "SELECT d.unit, count(*) FROM {table} d \
         JOIN {members} m ON m.side = 'staged' AND m.unit = d.unit AND m.tid = d.sid AND NOT m.owned \
         WHERE d.op = '~' AND NOT EXISTS (SELECT FROM {members} l \
             WHERE l.side = 'live' AND l.unit = d.unit AND l.rel = d.loid AND l.tid = d.lid) GROUP BY d.unit"
    )
}

/// Leaves out of the decisions what is not the tenant's: staged rows that are neither theirs nor needed, changes
/// of shared rows, removal of others' rows.
pub fn keep_members(names: &Names, table: &str) -> String {
    let members = names.members();
    format!(
        "DELETE FROM {table} d WHERE d.op = '+' AND NOT EXISTS (SELECT FROM {members} m \
             WHERE m.side = 'staged' AND m.unit = d.unit AND m.tid = d.sid); \
         DELETE FROM {table} d WHERE d.op = '-' AND NOT EXISTS (SELECT FROM {members} m \
             WHERE m.side = 'live' AND m.unit = d.unit AND m.rel = d.loid AND m.tid = d.lid); \
         DELETE FROM {table} d WHERE d.op = '~' \
             AND NOT EXISTS (SELECT FROM {members} m WHERE m.side = 'staged' AND m.unit = d.unit AND m.tid = d.sid AND m.owned) \
             AND NOT EXISTS (SELECT FROM {members} m WHERE m.side = 'live' AND m.unit = d.unit AND m.rel = d.loid AND m.tid = d.lid)"
    )
}

/// How many changes of a unit's rows are the tenant's on one side and somebody else's on the other. A version that is
/// not there any more says nothing: somebody wrote the row meanwhile.
pub fn shared_changes(names: &Names, unit: &Unit, table: &str) -> String {
    format!(
        "SELECT count(*) FROM {table} d WHERE d.unit = {n} AND d.op = '~' AND \
             EXISTS (SELECT FROM {members} m WHERE m.side = 'staged' AND m.unit = d.unit AND m.tid = d.sid AND m.owned) \
             <> EXISTS (SELECT FROM {members} m WHERE m.side = 'live' AND m.unit = d.unit AND m.rel = d.loid AND m.tid = d.lid) \
             AND EXISTS (SELECT FROM {live} l WHERE l.ctid = d.lid AND l.tableoid = d.loid)",
        n = unit.number,
        members = names.members(),
        live = unit.live(),
    )
}
