//! References that the decisions would break: counted for the plan, refused before the merge, or left out.

use super::compare;
use super::work::Work;
use crate::core::ident::QName;
use crate::core::merge::apply::Counts;
use crate::core::merge::{ForeignKey, Unit, orphans, stranded};
use crate::core::restore_plan::{Broken, BrokenReference, Mode};
use crate::error::Result;
use crate::ports::postgres::Session;
use std::collections::HashMap;

/// Every reference that would be broken, by foreign key.
pub async fn broken(work: &Work, session: &Session, decided: &str) -> Result<Vec<BrokenReference>> {
    let mut found = missing(work, session, decided).await?;
    found.extend(removed(work, session, decided).await?);
    Ok(found)
}

/// Rows that would come back without their parent.
pub async fn missing(
    work: &Work,
    session: &Session,
    decided: &str,
) -> Result<Vec<BrokenReference>> {
    let mut found = Vec::new();
    for (key, child) in children(work) {
        let sql = orphans::find_orphans(&work.names, &work.units, key, child, decided);
        found.extend(look(work, session, key, Broken::ParentMissing, &sql).await?);
    }
    Ok(found)
}

/// Live rows whose parent would be removed.
async fn removed(work: &Work, session: &Session, decided: &str) -> Result<Vec<BrokenReference>> {
    let counts = compare::counts(session, decided).await?;
    let mut found = Vec::new();
    for key in losing(work, &counts) {
        let sql = stranded::find_stranded(&work.names, &work.units, key, decided);
        if let Some(sql) = sql {
            found.extend(look(work, session, key, Broken::ParentRemoved, &sql).await?);
        }
    }
    Ok(found)
}

/// Leaves rows out that would come back without their parent, together with those that need them. Returns how many.
pub async fn leave_out(work: &Work, session: &Session, decided: &str) -> Result<u64> {
    let mut left_out = 0;
    loop {
        let before = left_out;
        for (key, child) in children(work) {
            let doing = format!("looking for the parents of {}", child.table);
            let sql = orphans::leave_out_orphans(&work.names, &work.units, key, child, decided);
            left_out += session.execute(&doing, &sql, &[]).await?;
        }
        if left_out == before {
            return Ok(left_out);
        }
    }
}

/// Leaves rows alone that others refer to, instead of removing them. Returns how many.
pub async fn keep_referred(work: &Work, decided: &str) -> Result<u64> {
    let mut kept = 0;
    for key in losing(work, &compare::counts(&work.session, decided).await?) {
        let doing = format!("looking for rows that refer to {}", key.parent);
        if let Some(sql) = stranded::keep_referred(&work.names, &work.units, key, decided) {
            kept += work.session.execute(&doing, &sql, &[]).await?;
        }
    }
    Ok(kept)
}

/// Counts by a statement that gives a number and examples.
pub async fn look(
    work: &Work,
    session: &Session,
    key: &ForeignKey,
    why: Broken,
    sql: &str,
) -> Result<Option<BrokenReference>> {
    let doing = format!("checking foreign key {} of {}", key.name, key.child);
    let row = session.query_one(&doing, sql, &[]).await?;
    let rows = row.get::<_, i64>(0).unsigned_abs();
    Ok((rows > 0).then(|| BrokenReference {
        foreign_key: key.name.clone(),
        child: key.child.clone(),
        parent: key.parent.clone(),
        rows,
        why,
        examples: row.get(1),
        remedy: remedy(work, key, why),
    }))
}

/// Valid keys of merged tables, as far as staging tells to what a row refers.
fn children(work: &Work) -> impl Iterator<Item = (&ForeignKey, &Unit)> {
    let keys = work.keys.iter();
    keys.filter(|k| k.validated && k.is_staged(&work.units))
        .filter_map(|k| Some((k, &work.units[k.child_unit?])))
        .filter(|(_, child)| child.merged)
}

/// Valid keys to tables of which rows go or change.
fn losing<'a>(
    work: &'a Work,
    counts: &HashMap<i32, Counts>,
) -> impl Iterator<Item = &'a ForeignKey> {
    let loses = |unit: usize| {
        let counts = counts.get(&work.units[unit].number);
        counts.is_some_and(|c| c.remove + c.change > 0)
    };
    work.keys
        .iter()
        .filter(move |k| k.validated && k.parents().any(loses))
}

fn remedy(work: &Work, key: &ForeignKey, why: Broken) -> String {
    let merged = |unit: Option<usize>| unit.is_some_and(|u| work.units[u].merged);
    let choosable = |table: &QName, unit| work.backed_up.contains(table) && !merged(unit);
    let (child, parent) = (&key.child, &key.parent);
    let milder = match work.mode {
        Mode::Exact => "use --mode keep-newer, which removes nothing",
        Mode::KeepNewer | Mode::Missing => "use --mode missing, which changes nothing",
    };
    match (why, work.names.reverses.is_some()) {
        (Broken::ParentRemoved, true) => format!(
            "Remove these rows of {child} first, or undo the rest alone with --leave-changed."
        ),
        (Broken::ParentMissing, true) => format!(
            "Bring the rows of {parent} back first, or undo the rest alone with --leave-changed."
        ),
        (Broken::ParentRemoved, false) if choosable(child, key.child_unit) => {
            format!("Choose {child} too (--table {child}), or {milder}.")
        }
        (Broken::ParentRemoved, false) => {
            format!("Remove these rows of {child} first, or {milder}.")
        }
        (Broken::ParentMissing, false) if choosable(parent, key.parent_unit) => format!(
            "Choose {parent} too (--table {parent}), or leave these rows out by --leave-out-orphans."
        ),
        (Broken::ParentMissing, false) => format!(
            "Bring the rows of {parent} back first, or leave these rows out by --leave-out-orphans."
        ),
    }
}
