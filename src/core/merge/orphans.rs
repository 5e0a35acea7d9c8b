//! Rows that a restore would bring back, or change, without their parent.

use super::foreign_keys::{SHOWN, counted};
use super::names::TID;
use super::parents::Parents;
use super::{ForeignKey, Names, Unit};

/// Counts rows that would have no parent, and shows up to five of them.
pub fn find_orphans(
    names: &Names,
    units: &[Unit],
    fk: &ForeignKey,
    child: &Unit,
    decided: &str,
) -> String {
    let steps = orphans(names, units, fk, child, decided);
    counted(&format!(
        "WITH {steps} SELECT {SHOWN} AS shown FROM orphans"
    ))
}

/// Leaves rows without a parent out. Repeated over all keys until none is left.
pub fn leave_out_orphans(
    names: &Names,
    units: &[Unit],
    fk: &ForeignKey,
    child: &Unit,
    decided: &str,
) -> String {
    let steps = orphans(names, units, fk, child, decided);
    format!(
        "DELETE FROM {decided} WHERE ctid = ANY (ARRAY(WITH {steps} SELECT {TID} FROM orphans))"
    )
}

/// `orphans`, for a WITH clause: the decision's ctid, what people see of the row, and to what it refers.
fn orphans(names: &Names, units: &[Unit], fk: &ForeignKey, child: &Unit, decided: &str) -> String {
    let coming = format!(
        "coming AS MATERIALIZED (SELECT d.ctid AS {TID}, {shown} AS {SHOWN}, {columns} FROM {decided} d \
         JOIN {values} s ON s.ctid = d.sid WHERE d.unit = {n} AND d.op IN ('+', '~') AND {refers})",
        shown = fk.shown_child("s", Some(child)),
        columns = fk.child_columns("s"),
        values = names.values(child),
        n = child.number,
        refers = fk.refers("s"),
    );
    let without = format!(
        "SELECT s.* FROM coming s WHERE NOT EXISTS (SELECT FROM {} p WHERE {})",
        fk.parent_live(),
        fk.matches("p", "s")
    );
    let Some(parent) = fk.parent_unit.map(|p| &units[p]) else {
        return format!("{coming}, orphans AS MATERIALIZED ({without})");
    };
    let parents = Parents {
        names,
        fk,
        units: vec![parent],
        decided,
    };
    format!(
        "{}, {coming}, parentless AS MATERIALIZED ({without} UNION ALL \
         SELECT s.* FROM coming s WHERE EXISTS (SELECT FROM gone g WHERE {})), \
         orphans AS MATERIALIZED (SELECT s.* FROM parentless s WHERE NOT EXISTS (SELECT FROM brought b WHERE {}))",
        parents.gone_and_brought(),
        fk.matches("g", "s"),
        fk.matches("b", "s")
    )
}
