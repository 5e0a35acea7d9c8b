//! Live rows, restored or not, whose parent a restore would take away: found before anything is written.

use super::foreign_keys::{SHOWN, counted};
use super::names::{TABLE, TID};
use super::parents::Parents;
use super::{ForeignKey, Names, Unit, relation};

/// Counts live rows whose parent the decisions would take away, and shows up to five of them. `None` where that
/// cannot be told before the merge.
pub fn find_stranded(
    names: &Names,
    units: &[Unit],
    fk: &ForeignKey,
    decided: &str,
) -> Option<String> {
    let parents = parents(names, units, fk, decided)?;
    let steps = stranded(&parents);
    Some(counted(&format!(
        "WITH {steps} SELECT {SHOWN} AS shown FROM stranded"
    )))
}

/// Leaves alone the parents that live rows refer to. Repeated over all keys until none is left.
pub fn keep_referred(
    names: &Names,
    units: &[Unit],
    fk: &ForeignKey,
    decided: &str,
) -> Option<String> {
    let parents = parents(names, units, fk, decided)?;
    Some(format!(
        "DELETE FROM {decided} WHERE ctid = ANY (ARRAY(WITH {} SELECT g.{TID} FROM gone g \
         WHERE EXISTS (SELECT FROM stranded c WHERE {})))",
        stranded(&parents),
        fk.matches("g", "c")
    ))
}

/// `None` where no unit holds the parent's rows, or staging does not hold their key.
fn parents<'a>(
    names: &'a Names,
    units: &'a [Unit],
    fk: &'a ForeignKey,
    decided: &'a str,
) -> Option<Parents<'a>> {
    let merged = fk.parents().map(|p| &units[p]).filter(|p| p.merged);
    let units: Vec<&Unit> = merged.collect();
    let staged = |p: &&Unit| fk.parent_columns.iter().all(|c| p.has_column(c));
    (!units.is_empty() && units.iter().all(staged)).then_some(Parents {
        names,
        fk,
        units,
        decided,
    })
}

/// Live rows to which a row that goes is the parent: neither taken away themselves nor given another parent.
fn stranded(parents: &Parents) -> String {
    let (fk, decided) = (parents.fk, parents.decided);
    format!(
        "{given}, referring AS MATERIALIZED (SELECT c.ctid AS {TID}, c.tableoid AS {TABLE}, {shown} AS {SHOWN}, {columns} \
         FROM {child} c WHERE {refers} AND EXISTS (SELECT FROM gone g WHERE {gone})), \
         left_alone AS MATERIALIZED (SELECT c.* FROM referring c WHERE NOT EXISTS (SELECT FROM brought b WHERE {brought})), \
         stranded AS MATERIALIZED (SELECT c.* FROM left_alone c WHERE NOT EXISTS (SELECT FROM {decided} x \
         WHERE x.op IN ('-', '~') AND x.lid = c.{TID} AND x.loid = c.{TABLE}))",
        given = parents.gone_and_brought(),
        shown = fk.shown_child("c", None),
        columns = fk.child_columns("c"),
        child = relation(&fk.child, fk.child_partitioned),
        refers = fk.refers("c"),
        gone = fk.matches("g", "c"),
        brought = fk.matches("b", "c"),
    )
}
