//! What would fail at the merge, found beforehand: CHECK and NOT NULL constraints that rows of the backup break.

use super::{Names, Unit};
use crate::core::ident;

/// A CHECK constraint of a unit's table, or of one of its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub unit: usize,
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
