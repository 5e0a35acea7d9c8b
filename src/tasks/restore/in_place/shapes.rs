//! The tables of a restore as an undo finds them: what was altered since is refused, and columns that came since are kept.

use crate::core::merge::{Column, Names, Since, Unit, names};
use crate::error::{Code, Error, Result};
use crate::ports::postgres::Session;
use crate::ports::postgres::target::{self, TargetColumn, TargetTable};
use std::collections::HashMap;

/// The tables that the units name, as they are now; the units learn which columns came since.
pub async fn find(
    session: &Session,
    names: &Names,
    units: &mut [Unit],
) -> Result<Vec<TargetTable>> {
    let wanted: Vec<_> = units.iter().map(|u| u.table.clone()).collect();
    let found = target::find(session, &wanted).await?;
    for unit in units.iter_mut() {
        let now = found.get(&unit.table).filter(|f| f.is_table);
        let now = now.ok_or_else(|| gone(names, unit))?;
        (unit.oid, unit.partitioned) = (now.oid, now.partitioned);
    }
    let oids: Vec<u32> = units.iter().map(|u| u.oid).collect();
    let mut read: HashMap<u32, TargetTable> = target::tables(session, &oids)
        .await?
        .into_iter()
        .map(|t| (t.oid, t))
        .collect();
    let mut targets = Vec::new();
    for unit in units.iter_mut() {
        let table = read.remove(&unit.oid).ok_or_else(|| gone(names, unit))?;
        fits(names, unit, &table)?;
        learn(session, names, unit, &table).await?;
        targets.push(table);
    }
    Ok(targets)
}

fn drifted(names: &Names, what: String) -> Error {
    let error = Error::new(
        Code::SchemaDrift,
        format!("the restore cannot be undone: {what}"),
    );
    match names.reverses {
        None => error,
        Some(reversed) => error.hint(format!(
            "The kept rows are in the schema {}; take them over by hand.",
            names::undo_schema(reversed)
        )),
    }
}

fn gone(names: &Names, unit: &Unit) -> Error {
    drifted(names, format!("{} does not exist any more", unit.table))
}

fn fits(names: &Names, unit: &Unit, table: &TargetTable) -> Result<()> {
    let altered = |column: &&Column| {
        let same = |c: &TargetColumn| {
            c.name == column.name && c.type_name == column.type_name && !c.generated
        };
        !table.columns.iter().any(same)
    };
    if let Some(column) = unit.columns.iter().chain(&unit.extra).find(altered) {
        return Err(drifted(
            names,
            format!("{}.{} was altered since", unit.table, column.name),
        ));
    }
    if table.key != unit.key {
        return Err(drifted(
            names,
            format!("the primary key of {} was altered since", unit.table),
        ));
    }
    Ok(())
}

/// Columns that came since belong to the live rows. Rows that were removed are made without them.
async fn learn(
    session: &Session,
    names: &Names,
    unit: &mut Unit,
    table: &TargetTable,
) -> Result<()> {
    let known = |c: &TargetColumn| {
        unit.all_names()
            .any(|n| n == crate::core::ident::quote(&c.name))
    };
    let new: Vec<_> = table
        .columns
        .iter()
        .filter(|c| !c.generated && !known(c))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    if let Some(column) = new.iter().find(|c| c.not_null && !c.has_default)
        && brings_back(session, names, unit).await?
    {
        return Err(drifted(
            names,
            format!(
                "{}.{} came since, takes no NULL and has no default, and the restore removed rows of the table",
                unit.table, column.name
            ),
        ));
    }
    let mut given = target::given(session, unit.oid).await?;
    for column in new {
        unit.extra.push(Column {
            name: column.name.clone(),
            type_name: column.type_name.clone(),
            identity_always: column.identity_always,
        });
        unit.since.push(Since {
            name: column.name.clone(),
            type_name: column.type_name.clone(),
            given: given.remove(&column.name).unwrap_or_default(),
        });
    }
    Ok(())
}

/// Whether rows come back that the table does not hold.
async fn brings_back(session: &Session, names: &Names, unit: &Unit) -> Result<bool> {
    let sql = format!(
        "SELECT EXISTS (SELECT FROM {} k WHERE k.{} = 'delete')",
        names.values(unit),
        names::OP
    );
    let doing = "looking for rows that the restore removed";
    Ok(session.query_one(doing, &sql, &[]).await?.get(0))
}
