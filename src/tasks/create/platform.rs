//! Rows that the platform keeps and the app's foreign keys refer to, such as those of `auth.users`. Taken only where
//! somebody asks for them: they hold password hashes and e-mail addresses.

use super::CreateRequest;
use super::selected::Selected;
use crate::core::ident::QName;
use crate::core::managed;
use crate::core::manifest::{Trigger, Warning};
use crate::error::{Code, Error, Result};
use crate::ports::postgres::source::{Listed, Listing};
use std::collections::BTreeSet;

/// Without these, a user who comes back cannot sign in by a provider.
const COMPANIONS: &[(&str, &str)] = &[("users", "identities")];

/// Refuses what would give one tenant the rows of everybody.
pub fn refuse_scope(request: &CreateRequest) -> Result<()> {
    let selection = &request.selection;
    if selection.platform_rows && selection.scope.is_some() {
        let message = "one tenant's rows are never taken together with the platform's, which hold everybody's users";
        return Err(Error::new(Code::Usage, message).hint("Leave out --platform-rows or --scope."));
    }
    Ok(())
}

/// The tables of the platform that are backed up, parents first. `taken`: which of the app's tables are.
pub fn chosen(
    listing: &Listing,
    request: &CreateRequest,
    taken: impl Fn(&Listed) -> bool,
) -> Result<Vec<Listed>> {
    let selection = &request.selection;
    if !selection.platform_rows {
        return Ok(Vec::new());
    }
    let mut names = referred(listing, listing.tables.iter().filter(|t| taken(t)));
    // One that was chosen by its name comes along too.
    let by_name =
        |name: &QName| selection.schemas.contains(&name.schema) || selection.tables.contains(name);
    names.extend(
        referred(listing, listing.tables.iter())
            .into_iter()
            .filter(by_name),
    );
    let all = listing.platform_tables.iter();
    let tables: Vec<Listed> = all.filter(|t| names.contains(&t.name)).cloned().collect();
    if tables.is_empty() && request.trigger != Trigger::Safety {
        let message = "no foreign key of the chosen tables leads to a table of the platform: there are no such rows to take";
        return Err(Error::new(Code::NothingSelected, message).hint("Leave out --platform-rows."));
    }
    if let Some(table) = tables.iter().find(|t| t.primary_key.is_empty()) {
        let message = format!(
            "{} has no primary key, by which a restore would know which rows are missing",
            table.name
        );
        return Err(Error::new(Code::NotPossible, message).hint("Leave out --platform-rows."));
    }
    Ok(parents_first(listing, tables))
}

/// Which of the tables are the platform's.
pub fn held(selected: &Selected) -> Vec<String> {
    let names = selected.tables.iter().map(|t| &t.listed.name);
    let theirs = names.filter(|name| managed::is_platform(&name.schema));
    theirs.map(ToString::to_string).collect()
}

/// Says that they are in the backup.
pub fn told(selected: &Selected) -> Option<Warning> {
    let held = held(selected);
    (!held.is_empty()).then(|| Warning {
        code: "platform_rows_held".into(),
        message: format!(
            "in the backup, readable for whoever may read the store: rows of {}; those of users hold e-mail addresses and \
             password hashes (let few read the store)",
            held.join(", ")
        ),
    })
}

/// What the tables' foreign keys lead to, step by step.
fn referred<'a>(listing: &Listing, tables: impl Iterator<Item = &'a Listed>) -> BTreeSet<QName> {
    let app: BTreeSet<&QName> = tables.map(|t| &t.name).collect();
    let exists = |name: &QName| listing.platform_tables.iter().any(|t| t.name == *name);
    let mut found = BTreeSet::new();
    loop {
        let next = listing.platform_keys.iter().find(|(child, parent)| {
            let leads = app.contains(child) || found.contains(child);
            leads && !found.contains(parent) && exists(parent)
        });
        let Some((_, parent)) = next else {
            break;
        };
        found.insert(parent.clone());
    }
    for (of, companion) in COMPANIONS {
        let companion = QName::new("auth", *companion);
        if found.contains(&QName::new("auth", *of)) && exists(&companion) {
            found.insert(companion);
        }
    }
    found
}

/// In a cycle, in the given order.
fn parents_first(listing: &Listing, mut tables: Vec<Listed>) -> Vec<Listed> {
    let mut ordered = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let waits = |table: &Listed| {
            let parents = listing
                .platform_keys
                .iter()
                .filter(|(c, _)| *c == table.name);
            parents
                .into_iter()
                .any(|(_, p)| tables.iter().any(|t| t.name == *p))
        };
        let next = tables.iter().position(|t| !waits(t)).unwrap_or_default();
        ordered.push(tables.remove(next));
    }
    ordered
}
