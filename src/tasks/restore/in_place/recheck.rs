//! What was written is rechecked before it is committed.

use super::merge::Done;
use super::work::Work;
use super::{references, statistics};
use crate::core::counted::counted;
use crate::core::merge::{ForeignKey, constraints, foreign_keys};
use crate::core::restore_plan::{Broken, refuse};
use crate::error::{Code, Error, Result};

/// What triggers would have checked: foreign keys, and unique constraints that may be checked late.
pub async fn recheck(work: &Work, counts: &Done) -> Result<()> {
    statistics::gather_written(work, counts).await?;
    let written =
        |index: usize| work.units[index].merged && counts.contains_key(&work.units[index].number);
    for key in work.keys.iter().filter(|k| k.validated) {
        if let Some(child) = key.child_unit.filter(|c| written(*c)) {
            let sql = foreign_keys::recheck_children(&work.names, key, &work.units[child]);
            orphaned(work, key, Broken::ParentMissing, &sql).await?;
        }
        for parent in key.parents().filter(|p| written(*p)) {
            let sql = foreign_keys::recheck_parents(&work.names, key, &work.units[parent]);
            orphaned(work, key, Broken::ParentRemoved, &sql).await?;
        }
    }
    for (index, unit) in work.merged().filter(|(index, _)| written(*index)) {
        for constraint in work.targets[index]
            .deferrable
            .iter()
            .filter(|d| d.can_be_rechecked(unit))
        {
            let sql = constraints::collisions(&work.names, unit, constraint);
            let doing = format!("rechecking {}", constraint.name);
            let count: i64 = work.session.query_one(&doing, &sql, &[]).await?.get(0);
            if count > 0 {
                return Err(Error::new(
                    Code::ConstraintViolated,
                    format!(
                        "{} of {} does not hold for {} to be restored",
                        constraint.name,
                        unit.table,
                        counted(count.unsigned_abs(), "row")
                    ),
                ));
            }
        }
    }
    Ok(())
}

async fn orphaned(work: &Work, key: &ForeignKey, why: Broken, sql: &str) -> Result<()> {
    let broken = references::look(work, &work.session, key, why, sql).await?;
    refuse(broken.as_slice())
}
