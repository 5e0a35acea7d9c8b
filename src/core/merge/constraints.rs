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
        let table = ident::quote(&unit.table.name);
        let columns: Vec<_> = unit.names().map(|n| format!("s.{n}")).collect();
        format!(
            "SELECT count(*) FROM (SELECT {} FROM {}) {table} WHERE NOT ({})",
            columns.join(", "),
            written(names, unit),
            check.expression
        )
    })
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
