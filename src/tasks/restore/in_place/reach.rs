//! Which tables a scope has to look at: the chosen ones, and those that tell whose their rows are.

use super::select::Groups;
use crate::core::ident::QName;
use crate::core::manifest::{Scope, Selection};
use crate::core::merge::ForeignKey;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::Session;
use crate::ports::postgres::target::{self, TargetTable};
use std::collections::{HashMap, VecDeque};

/// Leaves out the tables of the backup that say nothing about the chosen ones' rows. A table chosen by name of
/// which the scope selects nothing is refused: it would pass for restored.
pub async fn narrow(
    session: &Session,
    groups: &mut Groups<'_>,
    tables: &HashMap<QName, TargetTable>,
    scope: &Scope,
    choice: &Selection,
) -> Result<()> {
    let names: Vec<QName> = groups.keys().cloned().collect();
    let oids: Vec<u32> = names
        .iter()
        .map(|n| tables.get(n).map_or(0, |t| t.oid))
        .collect();
    let keys = target::foreign_keys(session, &oids).await?;
    let reach = Reach::new(
        &keys,
        |i| holds(groups, tables, &names[i], scope),
        names.len(),
    );
    let merged = |i: usize| groups[&names[i]].1;
    let chosen: Vec<usize> = (0..names.len()).filter(|i| merged(*i)).collect();
    let (alien, chosen): (Vec<usize>, Vec<usize>) =
        chosen.into_iter().partition(|i| !reach.can_belong(*i));
    let by_name =
        |i: &&usize| choice.tables.contains(&names[**i]) && tables.contains_key(&names[**i]);
    if let Some(i) = alien.iter().find(by_name) {
        return Err(untouched(&names[*i], scope));
    }
    let mut kept = reach.from(&chosen);
    // What does not exist is told as drift.
    for i in alien {
        kept[i] = !tables.contains_key(&names[i]);
    }
    let mut kept = kept.into_iter();
    groups.retain(|_, _| kept.next().unwrap_or(true));
    Ok(())
}

fn holds(
    groups: &Groups<'_>,
    tables: &HashMap<QName, TargetTable>,
    name: &QName,
    scope: &Scope,
) -> bool {
    let computed = tables.get(name).is_some_and(|t| {
        let mut columns = t.columns.iter();
        columns.any(|c| c.generated && c.name == scope.column)
    });
    let mut sources = groups[name].0.iter();
    computed || sources.any(|t| t.columns.iter().any(|c| c.name == scope.column))
}

fn untouched(table: &QName, scope: &Scope) -> Error {
    Error::new(
        Code::NothingSelected,
        format!(
            "the scope {}={} selects nothing of {table}: it has no such column, and no row of a tenant refers to it",
            scope.column, scope.value
        ),
    )
    .hint(format!(
        "Restore {table} without --scope, or leave it out of the choice."
    ))
}

/// The tables as a graph of foreign keys.
struct Reach {
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
    holds: Vec<bool>,
    /// Holds the column, or refers to a table that is owned.
    owned: Vec<bool>,
}

impl Reach {
    fn new(keys: &[ForeignKey], holds: impl Fn(usize) -> bool, tables: usize) -> Self {
        let (mut parents, mut children) = (vec![Vec::new(); tables], vec![Vec::new(); tables]);
        let edges = keys
            .iter()
            .filter_map(|k| Some((k.child_unit?, k.parent_unit?)));
        for (child, parent) in edges {
            parents[child].push(parent);
            children[parent].push(child);
        }
        let holds: Vec<bool> = (0..tables).map(holds).collect();
        let holding: Vec<usize> = (0..tables).filter(|i| holds[*i]).collect();
        let owned = walk(tables, &holding, |i| children[i].clone());
        Self {
            parents,
            children,
            holds,
            owned,
        }
    }

    /// Whether a row of the table can be a tenant's, or be needed by one.
    fn can_belong(&self, table: usize) -> bool {
        let below = walk(self.owned.len(), &[table], |i| self.children[i].clone());
        std::iter::zip(&below, &self.owned).any(|(b, o)| *b && *o)
    }

    /// The tables that must be looked at for the rows of some: up to those that hold the column, and for shared
    /// tables down to those that need their rows.
    fn from(&self, tables: &[usize]) -> Vec<bool> {
        walk(self.owned.len(), tables, |i| {
            match (self.owned[i], self.holds[i]) {
                (_, true) => Vec::new(),
                (true, false) => {
                    let owned = self.parents[i].iter().filter(|p| self.owned[**p]);
                    owned.copied().collect()
                }
                (false, false) => self.children[i].clone(),
            }
        })
    }
}

/// What is reached from some tables step by step, themselves included.
fn walk(tables: usize, from: &[usize], next: impl Fn(usize) -> Vec<usize>) -> Vec<bool> {
    let mut reached = vec![false; tables];
    let mut waiting: VecDeque<usize> = from.iter().copied().collect();
    while let Some(table) = waiting.pop_front() {
        if !std::mem::replace(&mut reached[table], true) {
            waiting.extend(next(table));
        }
    }
    reached
}
