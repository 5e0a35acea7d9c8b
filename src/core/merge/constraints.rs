//! Constraints of the target: what rows of the backup would break, found beforehand, and what only a trigger
//! would check, rechecked.

use super::names::OP;
use super::{Names, Unit};
use crate::core::ident;

/// A CHECK constraint of a unit's table, or of one of its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    /// As `pg_get_expr` prints it for this session.
    pub expression: String,
    pub columns: Vec<String>,
}

/// Counts rows to be written that the constraint rejects. `None` where it looks at columns that the backup lacks.
pub fn rejected(names: &Names, unit: &Unit, check: &Check) -> Option<String> {
    let staged = !check.columns.is_empty() && check.columns.iter().all(|c| unit.has_column(c));
    staged.then(|| {
        format!(
            "SELECT count(*) FROM {} WHERE NOT ({})",
            written_rows(names, unit),
            check.expression
        )
    })
}

/// A unique index of a unit's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    pub name: String,
    /// Columns or expressions, as the session prints them.
    pub values: Vec<String>,
    /// One per value, qualified; rows collide where all hold.
    pub operators: Vec<String>,
    pub predicate: Option<String>,
    /// All that values and predicate are made of.
    pub columns: Vec<String>,
}

/// Counts rows to be written that hold what a live row holds that stays as it is. `None` where the index looks at columns
/// that the backup lacks.
pub fn taken(names: &Names, unit: &Unit, unique: &Unique) -> Option<String> {
    if !unique.columns.iter().all(|c| unit.has_column(c)) {
        return None;
    }
    let values = std::iter::zip(1.., &unique.values).map(|(i, v)| format!(", {v} AS v{i}"));
    let values: String = values.collect();
    let within = unique.predicate.as_ref().map(|p| format!(" WHERE {p}"));
    let within = within.unwrap_or_default();
    let equal: Vec<_> = std::iter::zip(1.., &unique.operators)
        .map(|(i, op)| format!("l.v{i} {op} w.v{i}"))
        .collect();
    Some(format!(
        "SELECT count(*) FROM (SELECT 1{values} FROM {written}{within}) w \
         JOIN (SELECT tableoid AS rel, ctid AS tid{values} FROM {live} {table}{within}) l ON {equal} \
         WHERE NOT EXISTS (SELECT FROM {found} d WHERE d.unit = {n} AND d.op IN ('-', '~') AND d.loid = l.rel AND d.lid = l.tid)",
        written = written_rows(names, unit),
        live = unit.live(),
        table = ident::quote(&unit.table.name),
        equal = equal.join(" AND "),
        found = names.found(),
        n = unit.number,
    ))
}

/// Rows to be written, under the table's own name, as expressions may have it.
fn written_rows(names: &Names, unit: &Unit) -> String {
    let columns: Vec<_> = unit.names().map(|n| format!("s.{n}")).collect();
    format!(
        "(SELECT {} FROM {}) {}",
        columns.join(", "),
        written(names, unit),
        ident::quote(&unit.table.name)
    )
}

/// Counts rows to be written with a NULL that the target refuses.
pub fn nulls(names: &Names, unit: &Unit, column: &str) -> String {
    format!(
        "SELECT count(*) FROM {} AND s.{} IS NULL",
        written(names, unit),
        ident::quote(column)
    )
}

fn written(names: &Names, unit: &Unit) -> String {
    format!(
        "{} d JOIN {} s ON s.ctid = d.sid WHERE d.unit = {} AND d.op IN ('+', '~')",
        names.found(),
        names.values(unit),
        unit.number
    )
}

/// A deferrable unique or exclusion constraint. A trigger checks it, which the replica role silences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferrable {
    pub name: String,
    pub columns: Vec<String>,
    /// One per column, qualified; two rows conflict where all hold.
    pub operators: Vec<String>,
    pub predicate: Option<String>,
    pub has_expression: bool,
}

impl Deferrable {
    /// Whether the kept rows tell enough to recheck it.
    pub fn can_be_rechecked(&self, unit: &Unit) -> bool {
        !self.has_expression
            && self.predicate.is_none()
            && self.columns.iter().all(|c| unit.has_column(c))
    }
}

/// Counts written rows that conflict with another row.
pub fn collisions(names: &Names, unit: &Unit, constraint: &Deferrable) -> String {
    let conflicts: Vec<_> = std::iter::zip(&constraint.columns, &constraint.operators)
        .map(|(c, op)| format!("l.{c} {op} k.{c}", c = ident::quote(c)))
        .collect();
    format!(
        "SELECT count(*) FROM {} k WHERE k.{OP} IN ('insert', 'after') \
         AND (SELECT count(*) FROM {} l WHERE {}) > 1",
        names.kept(unit),
        unit.live(),
        conflicts.join(" AND ")
    )
}
