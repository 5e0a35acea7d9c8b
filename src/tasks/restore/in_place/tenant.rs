//! One tenant's rows, and nobody else's.

use super::work::Work;
use crate::core::manifest::Scope;
use crate::core::merge::scope::{self, Side};
use crate::error::{Code, Error, Result};

/// Limits decisions to what belongs to the tenant; refuses where a row of somebody else would change.
pub async fn limit(work: &Work, wanted: &Scope, decided: &str) -> Result<()> {
    let doing = "finding the tenant's rows";
    let session = &work.session;
    session
        .batch(doing, &format!("DELETE FROM {}", work.names.members()))
        .await?;
    let owned = scope::owned_units(&work.units, &work.keys, &wanted.column);
    for side in [Side::Staged, Side::Live] {
        for unit in &work.units {
            if let Some(sql) = scope::by_column(&work.names, unit, side, &wanted.column) {
                session.execute(doing, &sql, &[&wanted.value]).await?;
            }
        }
        add_children(work, &owned, wanted, side).await?;
    }
    add_needed(work).await?;
    session
        .batch(doing, &format!("ANALYZE {}", work.names.members()))
        .await?;
    refuse_shared(work, decided).await?;
    session
        .batch(doing, &scope::keep_members(&work.names, decided))
        .await
}

/// Children without the column belong to their parent's tenant.
async fn add_children(work: &Work, owned: &[bool], wanted: &Scope, side: Side) -> Result<()> {
    let mut added = true;
    while std::mem::take(&mut added) {
        for key in &work.keys {
            let (Some(parent), Some(child)) = (key.parent_unit, key.child_unit) else {
                continue;
            };
            if !owned[parent]
                || work.units[child].has_column(&wanted.column)
                || !key.is_staged(&work.units)
            {
                continue;
            }
            let sql = scope::by_parent(
                &work.names,
                key,
                &work.units[child],
                &work.units[parent],
                side,
            );
            added |= work
                .session
                .execute("finding the tenant's rows", &sql, &[])
                .await?
                > 0;
        }
    }
    Ok(())
}

async fn add_needed(work: &Work) -> Result<()> {
    let mut added = true;
    while std::mem::take(&mut added) {
        for key in &work.keys {
            let (Some(parent), Some(child)) = (key.parent_unit, key.child_unit) else {
                continue;
            };
            if !key.is_staged(&work.units) {
                continue;
            }
            let sql = scope::needed(&work.names, key, &work.units[child], &work.units[parent]);
            added |= work
                .session
                .execute("finding shared rows", &sql, &[])
                .await?
                > 0;
        }
    }
    Ok(())
}

async fn refuse_shared(work: &Work, decided: &str) -> Result<()> {
    let rows = work
        .session
        .query(
            "looking for shared rows",
            &scope::shared_changes(&work.names, decided),
            &[],
        )
        .await?;
    let Some(row) = rows.first() else {
        return Ok(());
    };
    let number: i32 = row.get(0);
    let table = work
        .units
        .iter()
        .find(|u| u.number == number)
        .map(|u| u.table.to_string());
    Err(Error::new(
        Code::SharedRows,
        format!(
            "{} rows of {} belong to this tenant here or in the backup, but to somebody else on the other side",
            row.get::<_, i64>(1),
            table.unwrap_or_default()
        ),
    )
    .hint("Restore the whole table, or take these rows over by hand from another database."))
}
