//! Foreign keys, which the replica role does not check: rechecked by anti-join.

use super::names::OP;
use super::{Names, Unit, relation, shown};
use crate::core::ident::{self, QName};
use std::collections::BTreeSet;

/// What people see of a row.
pub(super) const SHOWN: &str = "\"rovodev shown\"";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    pub name: String,
    pub child: QName,
    pub child_partitioned: bool,
    /// Index of the child among the merged units.
    pub child_unit: Option<usize>,
    pub parent: QName,
    pub parent_partitioned: bool,
    pub parent_unit: Option<usize>,
    /// Units that are partitions of the parent, merged without it.
    pub parent_partitions: Vec<usize>,
    pub columns: Vec<String>,
    pub parent_columns: Vec<String>,
    /// `parent = child` for each column, qualified.
    pub equals: Vec<String>,
    /// `MATCH FULL`: all columns null, or none.
    pub full: bool,
    /// `NOT VALID` keys are left alone.
    pub validated: bool,
    /// Whether the role may lock rows of the parent.
    pub parent_lockable: bool,
}

impl ForeignKey {
    /// `parent.key = child.key`.
    pub fn matches(&self, parent: &str, child: &str) -> String {
        let each = self
            .parent_columns
            .iter()
            .zip(&self.columns)
            .zip(&self.equals);
        each.map(|((p, c), equals)| {
            format!(
                "{parent}.{} {equals} {child}.{}",
                ident::quote(p),
                ident::quote(c)
            )
        })
        .collect::<Vec<_>>()
        .join(" AND ")
    }

    /// Whether a child row refers to anything.
    pub(super) fn refers(&self, child: &str) -> String {
        let each = self
            .columns
            .iter()
            .map(|c| format!("{child}.{} IS NOT NULL", ident::quote(c)));
        let how = if self.full { " OR " } else { " AND " };
        format!("({})", each.collect::<Vec<_>>().join(how))
    }

    /// Units that hold rows of the parent.
    pub fn parents(&self) -> impl Iterator<Item = usize> {
        self.parent_unit
            .iter()
            .chain(&self.parent_partitions)
            .copied()
    }

    /// What says to which row a child's row refers.
    pub(super) fn child_columns(&self, child: &str) -> String {
        let once: BTreeSet<&String> = self.columns.iter().collect();
        let each = once.iter().map(|c| format!("{child}.{}", ident::quote(c)));
        each.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn parent_live(&self) -> String {
        relation(&self.parent, self.parent_partitioned)
    }

    pub(super) fn shown_child(&self, alias: &str, unit: Option<&Unit>) -> String {
        let names: Vec<_> = self.columns.iter().map(|c| ident::quote(c)).collect();
        let refers = shown(&names, alias);
        match unit {
            Some(unit) if !unit.key.is_empty() => {
                format!("{} || ' (' || {refers} || ')'", unit.shown(alias))
            }
            _ => refers,
        }
    }

    /// Whether staging holds the columns that say to what a row refers (it holds no generated ones).
    pub fn is_staged(&self, units: &[Unit]) -> bool {
        let has = |unit: Option<usize>, columns: &[String]| {
            unit.is_none_or(|u| columns.iter().all(|c| units[u].has_column(c)))
        };
        self.parent_partitions.is_empty()
            && has(self.child_unit, &self.columns)
            && has(self.parent_unit, &self.parent_columns)
    }
}

/// Holds the parents of the rows to be written, where they are no part of the merge: else a concurrent delete
/// would leave orphans.
pub fn lock_parents(names: &Names, fk: &ForeignKey, child: &Unit) -> String {
    format!(
        "SELECT count(*) FROM (SELECT 1 FROM {} p WHERE EXISTS (SELECT FROM {} d JOIN {} s ON s.ctid = d.sid \
         WHERE d.unit = {} AND d.op IN ('+', '~') AND {}) FOR KEY SHARE OF p) q",
        fk.parent_live(),
        names.decided(),
        names.values(child),
        child.number,
        fk.matches("p", "s")
    )
}

/// Rows that were written and have no parent now.
pub fn recheck_children(names: &Names, fk: &ForeignKey, child: &Unit) -> String {
    let parentless = format!(
        "{} AND NOT EXISTS (SELECT FROM {} p WHERE {})",
        fk.refers("c"),
        fk.parent_live(),
        fk.matches("p", "c")
    );
    let staged = fk.columns.iter().all(|c| child.has_column(c));
    let shown = fk.shown_child("c", staged.then_some(child));
    counted(&if staged {
        format!(
            "SELECT {shown} AS shown FROM {} c WHERE c.{OP} IN ('insert', 'after') AND {parentless}",
            names.kept(child)
        )
    } else {
        format!(
            "SELECT {shown} AS shown FROM {} c WHERE {parentless}",
            child.live()
        )
    })
}

/// Rows, whether or not they are part of the merge, whose parent the merge took away.
pub fn recheck_parents(names: &Names, fk: &ForeignKey, parent: &Unit) -> String {
    let staged = fk.parent_columns.iter().all(|c| parent.has_column(c));
    let taken = if staged {
        format!(
            "EXISTS (SELECT FROM {} k WHERE k.{OP} IN ('delete', 'before') AND {})",
            names.kept(parent),
            fk.matches("k", "c")
        )
    } else {
        "true".into()
    };
    // One step after another, for the reason that `parents` gives.
    counted(&format!(
        "WITH referring AS MATERIALIZED (SELECT {} AS {SHOWN}, {} FROM {} c WHERE {} AND {taken}) \
         SELECT c.{SHOWN} AS shown FROM referring c WHERE NOT EXISTS (SELECT FROM {} p WHERE {})",
        fk.shown_child("c", None),
        fk.child_columns("c"),
        relation(&fk.child, fk.child_partitioned),
        fk.refers("c"),
        fk.parent_live(),
        fk.matches("p", "c")
    ))
}

pub(super) fn counted(rows: &str) -> String {
    format!(
        "WITH rows AS MATERIALIZED ({rows}) SELECT (SELECT count(*) FROM rows), \
         ARRAY(SELECT shown FROM rows LIMIT 5)"
    )
}
