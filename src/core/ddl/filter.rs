//! Which entries of a dump belong to what somebody chose.
//!
//! - Nothing chosen: all of the app's; never the default privileges of `supabase_admin`, which nobody else may set.
//! - Schemas: what lies in them, and extensions.
//! - Tables: the tables with their partitions, sequences, constraints, indexes, triggers, policies and grants; of
//!   every schema what stands by itself and rows may need (types, functions, collations, free sequences). No views.
//!
//! What is kept may name what is not; whether that can be made is decided where the target is known.

use super::{Entry, Kind, statement};
use crate::core::ident::QName;
use crate::core::managed;
use crate::core::manifest::Selection;
use std::collections::{BTreeMap, BTreeSet};

/// What belongs both to a backup's own selection and to the choice made of it.
pub struct Filter(Vec<Part>);

/// One selection of schemas and tables.
struct Part {
    schemas: BTreeSet<String>,
    tables: BTreeSet<QName>,
    /// The table that owns a sequence.
    owners: BTreeMap<QName, QName>,
}

impl Filter {
    /// `entries` are all that the backup defines; selections that choose everything take no part.
    pub fn new(selections: &[&Selection], entries: &[Entry]) -> Self {
        let chooses = |s: &&&Selection| !s.schemas.is_empty() || !s.tables.is_empty();
        let parts = selections.iter().filter(chooses);
        Self(parts.map(|s| Part::new(s, entries)).collect())
    }

    /// Whether anything was left out by choice.
    pub fn is_partial(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether a table's rows and definition are chosen.
    pub fn keeps_table(&self, table: &QName) -> bool {
        self.0.iter().all(|part| part.keeps_table(table))
    }

    /// The same of a table of a partitioned one, which may be chosen by the name of either.
    pub fn keeps_rows(&self, table: &QName, root: Option<&QName>) -> bool {
        let by_either = |part: &Part| {
            part.keeps_table(table) || root.is_some_and(|root| part.keeps_table(root))
        };
        self.0.iter().all(by_either)
    }

    pub fn keeps_sequence(&self, sequence: &QName) -> bool {
        self.0.iter().all(|part| part.keeps_sequence(sequence))
    }

    pub fn keeps(&self, entry: &Entry) -> bool {
        !is_platforms(entry) && self.0.iter().all(|part| part.keeps(entry))
    }

    /// Whether nobody chose this entry: it comes along in case a chosen table needs it.
    pub fn only_helps(&self, entry: &Entry) -> bool {
        let chosen = |part: &Part| {
            entry.table.is_some()
                || (entry.schema.as_ref()).is_some_and(|schema| part.schemas.contains(schema))
        };
        !self.0.iter().all(chosen)
    }
}

impl Part {
    fn new(selection: &Selection, entries: &[Entry]) -> Self {
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

    fn keeps_table(&self, table: &QName) -> bool {
        self.schemas.contains(&table.schema) || self.tables.contains(table)
    }

    fn keeps_sequence(&self, sequence: &QName) -> bool {
        match self.owners.get(sequence) {
            Some(table) => self.keeps_table(table),
            None => self.keeps_schema(&sequence.schema),
        }
    }

    fn keeps(&self, entry: &Entry) -> bool {
        match (entry.kind, &entry.table) {
            (Kind::Extension, _) => true,
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
        self.schemas.contains(schema) || !self.tables.is_empty() && managed::is_app(schema)
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
