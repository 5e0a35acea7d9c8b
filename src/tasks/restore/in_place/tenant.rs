//! One tenant's rows, and nobody else's.

use super::work::Work;
use crate::core::counted::counted;
use crate::core::ident;
use crate::core::manifest::Scope;
use crate::core::merge::scope::{self, Side};
use crate::error::{Code, Error, Result};
use crate::ports::postgres::scope_value::require_canonical;
use crate::ports::postgres::{Session, sqlstate};
use std::collections::HashMap;

/// Refuses a scope that no table can hold: a column that is nowhere, or a value that is none of its type.
pub async fn possible(work: &Work, wanted: &Scope) -> Result<()> {
    let holding: Vec<usize> = (0..work.units.len())
        .filter(|i| work.units[*i].holds(&wanted.column))
        .collect();
    if holding.is_empty() {
        return Err(Error::new(
            Code::NothingSelected,
            format!("no table of the restore has a column {:?}", wanted.column),
        )
        .hint(NAME_THE_SCOPE));
    }
    // What a backup of one tenant holds was found when it was taken.
    if !work.of_one_tenant {
        let tables: Vec<u32> = holding.iter().map(|i| work.units[*i].oid).collect();
        require_canonical(&work.session, &tables, wanted).await?;
    }
    for index in holding {
        // Without a row, and yet the value is read as the column's type.
        let sql = format!(
            "SELECT FROM {} r WHERE r.{} = {} LIMIT 0",
            work.units[index].live(),
            ident::quote(&wanted.column),
            ident::literal(&wanted.value)
        );
        let read = work.session.query("reading the scope", &sql, &[]).await;
        read.map_err(|e| unfit(e, wanted))?;
    }
    Ok(())
}

/// Limits decisions to what belongs to the tenant; refuses where a row of somebody else would change. The session is in
/// one snapshot. Counts, by unit, the shared rows that differ and stay as they are.
pub async fn limit(
    work: &Work,
    session: &Session,
    wanted: &Scope,
    decided: &str,
) -> Result<HashMap<i32, u64>> {
    let doing = "finding the tenant's rows";
    session
        .batch(doing, &format!("DELETE FROM {}", work.names.members()))
        .await?;
    let owned = scope::owned_units(&work.units, &work.keys, &wanted.column);
    let mut found = 0;
    for side in [Side::Staged, Side::Live] {
        for unit in &work.units {
            if let Some(sql) = scope::by_column(&work.names, unit, side, wanted) {
                found += session
                    .execute(doing, &sql, &[])
                    .await
                    .map_err(|e| unfit(e, wanted))?;
            }
        }
        if side == Side::Staged && found == 0 {
            refuse_foreign_rows(work, wanted)?;
        }
        add_children(work, session, &owned, wanted, side).await?;
    }
    if found == 0 {
        return Err(nothing(wanted));
    }
    add_needed(work, session).await?;
    session
        .batch(doing, &format!("ANALYZE {}", work.names.members()))
        .await?;
    let sql = scope::shared_differences(&work.names, decided);
    let shared = session.query(doing, &sql, &[]).await?;
    session
        .batch(doing, &scope::keep_members(&work.names, decided))
        .await?;
    refuse_shared(work, session, decided).await?;
    Ok(by_unit(&shared))
}

/// The tenant's rows in the backup and those that they need, by unit.
pub async fn staged(work: &Work) -> Result<HashMap<i32, u64>> {
    let sql = scope::count_staged(&work.names);
    let rows = work
        .session
        .query("counting the tenant's rows", &sql, &[])
        .await?;
    Ok(by_unit(&rows))
}

fn by_unit(counted: &[tokio_postgres::Row]) -> HashMap<i32, u64> {
    let count = |r: &tokio_postgres::Row| (r.get(0), r.get::<_, i64>(1).unsigned_abs());
    counted.iter().map(count).collect()
}

const NAME_THE_SCOPE: &str = "Name the tenant column and value as --scope COLUMN=VALUE.";

/// A typo must not pass for a restore.
fn nothing(wanted: &Scope) -> Error {
    Error::new(
        Code::NothingSelected,
        format!(
            "the scope {}={} matches no row, neither here nor in the backup",
            wanted.column, wanted.value
        ),
    )
    .hint(NAME_THE_SCOPE)
}

/// SQLSTATE class 22: the value is none of the column's type.
fn unfit(error: Error, wanted: &Scope) -> Error {
    match sqlstate(&error) {
        Some(state) if state.code().starts_with("22") => nothing(wanted).source(error),
        _ => error,
    }
}

/// Children without the column belong to their parent's tenant.
async fn add_children(
    work: &Work,
    session: &Session,
    owned: &[bool],
    wanted: &Scope,
    side: Side,
) -> Result<()> {
    let mut added = true;
    while std::mem::take(&mut added) {
        for key in &work.keys {
            let (Some(parent), Some(child)) = (key.parent_unit, key.child_unit) else {
                continue;
            };
            if !owned[parent]
                || work.units[child].holds(&wanted.column)
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
            added |= session
                .execute("finding the tenant's rows", &sql, &[])
                .await?
                > 0;
        }
    }
    Ok(())
}

/// A backup of one tenant begins with rows that bear the tenant's value. Rows of somebody else would not come back for
/// these, while the tenant's live ones would go.
fn refuse_foreign_rows(work: &Work, wanted: &Scope) -> Result<()> {
    let rows: u64 = (0..work.units.len()).map(|u| work.source_rows(u)).sum();
    if !work.of_one_tenant || rows == 0 {
        return Ok(());
    }
    Err(Error::new(
        Code::ManifestDamaged,
        format!(
            "the backup says that its rows are those of {}={}, and none of them is",
            wanted.column, wanted.value
        ),
    )
    .hint("Use another backup."))
}

async fn add_needed(work: &Work, session: &Session) -> Result<()> {
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
            added |= session.execute("finding shared rows", &sql, &[]).await? > 0;
        }
    }
    Ok(())
}

async fn refuse_shared(work: &Work, session: &Session, decided: &str) -> Result<()> {
    for (_, unit) in work.merged() {
        let sql = scope::shared_changes(&work.names, unit, decided);
        let row = session.query_one("looking for shared rows", &sql, &[]);
        let shared: i64 = row.await?.get(0);
        if shared > 0 {
            return Err(Error::new(
                Code::SharedRows,
                format!(
                    "this tenant's here or in the backup, but somebody else's on the other side: {} of {}",
                    counted(shared.unsigned_abs(), "row"),
                    unit.table
                ),
            )
            .hint("Use --mode missing, which changes nothing, restore the whole table, or take these rows over by hand from another database."));
        }
    }
    Ok(())
}
