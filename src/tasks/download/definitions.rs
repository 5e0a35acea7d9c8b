//! Definitions as parts of a script that tolerates what a restore tolerates: what the platform or an extension owns,
//! owners and grants that the role may not give. The app's own definitions stay strict.

use super::tolerant::{Tolerance, block, execute, may_give_to, warning_unless};
use crate::core::ddl::{Entry, Kind, statement};
use crate::core::grants;
use crate::core::ident::{QName, quote};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Which roles own something, and which tables the script makes.
pub struct Definitions {
    owners: Vec<String>,
    tables: BTreeSet<QName>,
    /// Of the tables made last.
    access_method: Option<String>,
    /// Whether only a part of the database was chosen, so that what it names may be missing.
    is_partial: bool,
}

impl Definitions {
    pub fn new<'e>(entries: impl Iterator<Item = &'e Entry>, is_partial: bool) -> Self {
        let (mut owners, mut tables) = (BTreeSet::new(), BTreeSet::new());
        for entry in entries {
            let given = entry.statements.iter();
            owners.extend(given.filter_map(|s| statement::new_owner(s)));
            if let (Kind::Table, Some(table)) = (entry.kind, &entry.table) {
                tables.insert(table.clone());
            }
        }
        Self {
            owners: owners.into_iter().collect(),
            tables,
            access_method: None,
            is_partial,
        }
    }

    pub fn is_owner(&self, role: &str) -> bool {
        self.owners.iter().any(|owner| owner == role)
    }

    /// Asks which owners the session may give objects to, and tells of the others once.
    pub fn ask_for_owners(&self, out: &mut String) {
        for (i, owner) in self.owners.iter().enumerate() {
            let may = may_give_to(owner);
            let _ = writeln!(out, "SELECT {may} AS rovodev_owner_{i} \\gset");
            out.push_str(&warning_unless(
                &may,
                &format!("what belongs to role {owner:?} will be yours: it does not exist, or you are no member of it"),
            ));
        }
        out.push('\n');
    }

    /// Schemas that extensions lie in, which a plain database lacks.
    pub fn extension_schemas(&self, out: &mut String, entries: &[Entry]) {
        let extensions = entries.iter().filter(|e| e.kind == Kind::Extension);
        let names: BTreeSet<_> = extensions
            .filter_map(|e| statement::word_after(e.statements.first()?, "SCHEMA"))
            .collect();
        for name in names {
            let _ = writeln!(out, "CREATE SCHEMA IF NOT EXISTS {};", quote(&name));
        }
    }

    /// A definition of the app, or, where `is_platforms`, of a schema of the platform.
    pub fn write(&mut self, out: &mut String, entry: &Entry, is_platforms: bool) {
        let _ = writeln!(out, "-- {}", entry.label());
        if entry.kind == Kind::Table
            && let Some(method) = &entry.access_method
            && self.access_method.as_ref() != Some(method)
        {
            let _ = writeln!(out, "SET default_table_access_method = {method};");
            self.access_method = Some(method.clone());
        }
        let label = entry.label();
        match self.tolerance(entry, is_platforms) {
            None => self.strict(out, entry),
            // One grantee that is missing keeps nothing from the others.
            Some(tolerance) if matches!(entry.kind, Kind::Acl | Kind::DefaultAcl) => {
                for statement in &entry.statements {
                    out.push_str(&block(&label, &grants::run(entry, statement), tolerance));
                }
            }
            Some(tolerance) => out.push_str(&block(&label, &self.tolerated(entry), tolerance)),
        }
        out.push('\n');
    }

    fn tolerance(&self, entry: &Entry, is_platforms: bool) -> Option<Tolerance> {
        let kind = entry.kind;
        let helps = self.is_partial && entry.table.is_none() && kind != Kind::Schema;
        let is_of = |table: &Option<QName>| table.as_ref().is_some_and(|t| self.tables.contains(t));
        if is_platforms || kind.may_be_refused() || helps {
            return Some(Tolerance::Of);
        }
        let leads_out = match kind {
            Kind::ForeignKey => !is_of(&entry.references()),
            // Of a materialized view, which may have been left out.
            Kind::Index => !is_of(&entry.table),
            kind => kind.may_lead_out(),
        };
        leads_out.then_some(Tolerance::OfMissing)
    }

    fn strict(&self, out: &mut String, entry: &Entry) {
        for statement in &entry.statements {
            match statement::new_owner(statement) {
                Some(owner) => {
                    let i = self.owners.iter().position(|o| *o == owner);
                    let i = i.unwrap_or_default();
                    let _ = writeln!(out, "\\if :rovodev_owner_{i}\n{statement}\n\\endif");
                }
                None => out.extend([existing_or_new(statement).as_str(), "\n"]),
            }
        }
    }

    fn tolerated(&self, entry: &Entry) -> String {
        let mut body = String::new();
        let mut together = String::new();
        for statement in &entry.statements {
            let Some(owner) = statement::new_owner(statement) else {
                together.extend([existing_or_new(statement).as_str(), "\n"]);
                continue;
            };
            if !together.is_empty() {
                body.push_str(&execute(&std::mem::take(&mut together)));
            }
            let (may, alter) = (may_give_to(&owner), execute(statement));
            let _ = writeln!(body, "IF {may} THEN\n{alter}END IF;");
        }
        if !together.is_empty() {
            body.push_str(&execute(&together));
        }
        body
    }
}

fn existing_or_new(statement: &str) -> String {
    match statement.strip_prefix("CREATE SCHEMA ") {
        Some(schema) => format!("CREATE SCHEMA IF NOT EXISTS {schema}"),
        None => statement.to_string(),
    }
}
