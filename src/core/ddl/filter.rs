//! Which entries of a dump belong to what somebody chose.
//!
//! - Nothing chosen: all of the app's; never the default privileges of `supabase_admin`, which nobody else may set.
//! - Schemas: what lies in them, and extensions.
//! - Tables: the tables with their partitions, sequences, constraints, indexes, triggers, policies and grants; of
//!   every schema what stands by itself and rows may need (types, functions, collations, free sequences). No
//!   views, and no foreign keys to tables that are not chosen.

use super::{Entry, Kind, statement};
use crate::core::ident::QName;
use crate::core::managed;
use crate::core::manifest::Selection;
use std::collections::{BTreeMap, BTreeSet};

pub struct Filter {
    schemas: BTreeSet<String>,
    tables: BTreeSet<QName>,
    /// The table that owns a sequence.
    owners: BTreeMap<QName, QName>,
}

impl Filter {
    pub fn new(selection: &Selection, entries: &[Entry]) -> Self {
        let attached: Vec<_> = entries.iter().filter_map(attachment).collect();
        let owners = entries.iter().filter_map(ownership).collect();
        let mut tables: BTreeSet<_> = selection.tables.iter().cloned().collect();
        loop {
            let below: Vec<_> = attached
                .iter()
                .filter(|(parent, child)| tables.contains(parent) && !tables.contains(child))
                .map(|(_, child)| child.clone())
                .collect();
            if below.is_empty() {
                break;
            }
            tables.extend(below);
        }
        Self {
            schemas: selection.schemas.iter().cloned().collect(),
            tables,
            owners,
        }
    }

    /// Whether anything was left out by choice.
    pub fn is_partial(&self) -> bool {
        !self.schemas.is_empty() || !self.tables.is_empty()
    }

    /// Whether a table's rows and definition are chosen.
    pub fn keeps_table(&self, table: &QName) -> bool {
        !self.is_partial() || self.schemas.contains(&table.schema) || self.tables.contains(table)
    }

    pub fn keeps_sequence(&self, sequence: &QName) -> bool {
        match self.owners.get(sequence) {
            Some(table) => self.keeps_table(table),
            None => self.keeps_schema(&sequence.schema),
        }
    }

    pub fn keeps(&self, entry: &Entry) -> bool {
        if is_platforms(entry) {
            return false;
        }
        if !self.is_partial() {
            return true;
        }
        match (entry.kind, &entry.table) {
            (Kind::Extension, _) => true,
            (Kind::ForeignKey, Some(table)) => self.keeps_table(table) && self.keeps_target(entry),
            (_, Some(table)) => self.keeps_table(table) || self.keeps_free_sequence(entry, table),
            (Kind::Sequence, None) => self.keeps_sequence(&QName::new(
                entry.schema.clone().unwrap_or_default(),
                &entry.name,
            )),
            (Kind::Schema, None) => self.keeps_schema(&entry.name),
            (_, None) => match (&entry.schema, entry.name.split_once(' ')) {
                (Some(schema), _) => self.keeps_schema(schema),
                (None, Some(("SCHEMA", schema))) => self.keeps_schema(schema),
                (None, Some(("EXTENSION", _))) => true,
                _ => false,
            },
        }
    }

    /// A grant on a sequence names it where a grant on a table names the table.
    fn keeps_free_sequence(&self, entry: &Entry, sequence: &QName) -> bool {
        matches!(entry.kind, Kind::Acl | Kind::Comment)
            && entry.name.starts_with("SEQUENCE ")
            && self.keeps_sequence(sequence)
    }

    fn keeps_schema(&self, schema: &str) -> bool {
        !self.is_partial()
            || self.schemas.contains(schema)
            || !self.tables.is_empty() && managed::is_app(schema)
    }

    fn keeps_target(&self, foreign_key: &Entry) -> bool {
        references(foreign_key)
            .is_none_or(|target| !managed::is_app(&target.schema) || self.keeps_table(&target))
    }
}

/// The table that a foreign key refers to.
pub(super) fn references(foreign_key: &Entry) -> Option<QName> {
    statement::name_after(foreign_key.statements.first()?, "REFERENCES")
}

fn is_platforms(entry: &Entry) -> bool {
    let schema = match (entry.kind, &entry.schema) {
        (Kind::Schema, _) => Some(entry.name.as_str()),
        (_, schema) => schema.as_deref(),
    };
    let theirs = entry.kind == Kind::DefaultAcl && entry.owner.as_deref() == Some("supabase_admin");
    theirs || schema.is_some_and(managed::is_own)
}

/// The partitioned table and the partition of `ATTACH PARTITION`.
fn attachment(entry: &Entry) -> Option<(QName, QName)> {
    if entry.kind != Kind::TableAttach {
        return None;
    }
    let parent = statement::relation(entry.statements.first()?)?;
    Some((parent, entry.table.clone()?))
}

fn ownership(entry: &Entry) -> Option<(QName, QName)> {
    let sequence = QName::new(entry.schema.clone()?, &entry.name);
    let owned = matches!(entry.kind, Kind::Sequence | Kind::SequenceOwnedBy);
    owned.then_some((sequence, entry.table.clone()?))
}
