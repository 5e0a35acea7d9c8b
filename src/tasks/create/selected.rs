//! What of a listing a backup takes, and whether it may.

use super::{CreateRequest, platform};
use crate::core::ident::QName;
use crate::core::managed;
use crate::core::manifest::{Selection, Sequence, TableKind, Warning};
use crate::error::{Code, Error, Result};
use crate::ports::postgres::Session;
use crate::ports::postgres::source::{Listed, Listing};
use std::collections::{HashMap, HashSet};

/// The part of a database that is backed up.
#[derive(Debug, Clone)]
pub struct Selected {
    pub tables: Vec<Sized>,
    pub sequences: Vec<Sequence>,
    pub materialized_views: Vec<QName>,
    pub foreign_tables: Vec<QName>,
    pub catalog_tables: Vec<QName>,
    pub catalog_schemas: Vec<String>,
    pub warnings: Vec<Warning>,
}

/// A table and how much there is to read.
#[derive(Debug, Clone)]
pub struct Sized {
    pub listed: Listed,
    pub blocks: u32,
    /// Heap and TOAST: an estimate of the text.
    pub bytes: u64,
}

impl Selected {
    /// Whether another listing names the same tables of the same shape. A truncated table counts as the
    /// same: what is read is what the snapshot sees.
    pub fn same_tables(&self, other: &Self) -> bool {
        let same = |(a, b): (&Sized, &Sized)| {
            a.listed.oid == b.listed.oid
                && a.listed.name == b.listed.name
                && a.listed.shape == b.listed.shape
        };
        self.tables.len() == other.tables.len() && self.tables.iter().zip(&other.tables).all(same)
    }

    /// Sizes of all tables, in one query.
    pub async fn measure(&mut self, session: &Session) -> Result<()> {
        let oids: Vec<u32> = self.tables.iter().map(|t| t.listed.oid).collect();
        let rows = session
            .query(
                "measuring the tables",
                "SELECT t.oid, pg_relation_size(t.oid) / current_setting('block_size')::bigint, \
                 pg_table_size(t.oid) FROM unnest($1::oid[]) t(oid)",
                &[&oids],
            )
            .await?;
        let sizes: HashMap<u32, (i64, i64)> = rows
            .iter()
            .map(|r| (r.get(0), (r.get(1), r.get(2))))
            .collect();
        for table in &mut self.tables {
            let (blocks, bytes) = sizes.get(&table.listed.oid).copied().unwrap_or_default();
            table.blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
            table.bytes = bytes.unsigned_abs();
        }
        Ok(())
    }
}

pub fn select(listing: Listing, request: &CreateRequest) -> Result<Selected> {
    let selection = &request.selection;
    let whole = selection.schemas.is_empty() && selection.tables.is_empty();
    let chosen = |name: &QName| {
        whole || selection.schemas.contains(&name.schema) || selection.tables.contains(name)
    };
    if whole && listing.large_objects > 0 {
        return Err(Error::new(
            Code::LargeObjects,
            format!(
                "the database holds {} large objects, which are not supported",
                listing.large_objects
            ),
        )
        .hint(
            "Move them into bytea columns or Storage, or choose the schemas or tables to back up.",
        ));
    }
    let taken =
        |t: &Listed| chosen(&t.name) || t.above.iter().any(|root| selection.tables.contains(root));
    let platform = platform::chosen(&listing, request, taken)?;
    all_found(&listing, &platform, selection)?;
    let tables: Vec<Listed> = listing.tables.into_iter().filter(taken).collect();
    refuse_unreadable(&platform, listing.bypasses_row_security)?;
    refuse_unreadable(&tables, listing.bypasses_row_security)?;
    let names: HashSet<&QName> = tables.iter().map(|t| &t.name).collect();
    // A sequence comes with its schema, with the table that owns it, and with one that takes numbers from it.
    let fed = listing
        .feeds
        .iter()
        .filter(|(_, table)| names.contains(table));
    let fed: HashSet<&QName> = fed.map(|(sequence, _)| sequence).collect();
    let with_table = |s: &Sequence| {
        let owned = s.owned_by.as_ref().is_some_and(|t| names.contains(t));
        chosen(&s.name) || owned || fed.contains(&s.name)
    };
    if let Some(name) = listing.unreadable_sequences.iter().find(|s| chosen(s)) {
        return Err(no_right(&[name]));
    }
    let sequences = listing.sequences.into_iter().filter(with_table).collect();
    let warnings = unlogged(&tables);
    Ok(Selected {
        sequences,
        materialized_views: listing
            .materialized_views
            .into_iter()
            .filter(|n| chosen(n))
            .collect(),
        foreign_tables: listing
            .foreign_tables
            .into_iter()
            .filter(|n| chosen(n))
            .collect(),
        catalog_tables: listing.catalog_tables,
        catalog_schemas: listing.catalog_schemas,
        warnings,
        // Whoever restores in this order has the parents first.
        tables: platform
            .into_iter()
            .chain(tables)
            .map(|listed| Sized {
                listed,
                blocks: 0,
                bytes: 0,
            })
            .collect(),
    })
}

fn unlogged(tables: &[Listed]) -> Vec<Warning> {
    let note = |t: &Listed| Warning {
        code: "unlogged_table".into(),
        message: format!(
            "{} is unlogged: its rows are kept here, but a crash of the source empties it",
            t.name
        ),
    };
    tables.iter().filter(|t| t.unlogged).map(note).collect()
}

/// Every name that was asked for exists; else a typo would pass for a backup.
fn all_found(listing: &Listing, platform: &[Listed], selection: &Selection) -> Result<()> {
    let mut missing: Vec<String> = Vec::new();
    for schema in &selection.schemas {
        let tables = || listing.tables.iter().chain(platform);
        let known = tables().any(|t| t.name.schema == *schema)
            || listing.sequences.iter().any(|s| s.name.schema == *schema)
            || listing
                .materialized_views
                .iter()
                .chain(&listing.foreign_tables)
                .any(|v| v.schema == *schema);
        if !known && !managed::is_app(schema) {
            missing.push(format!("schema {schema} (the platform keeps it)"));
        } else if !known {
            missing.push(format!("schema {schema} (or nothing is in it)"));
        }
    }
    for table in &selection.tables {
        let known = listing
            .tables
            .iter()
            .chain(platform)
            .any(|t| t.name == *table);
        if !known && !listing.partitioned_tables.contains(table) {
            missing.push(format!("table {table}"));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Code::NothingSelected,
        format!("not in the database: {}", missing.join(", ")),
    )
    .hint("Names are matched exactly, upper and lower case included."))
}

fn refuse_unreadable(tables: &[Listed], bypasses_row_security: bool) -> Result<()> {
    let unreadable: Vec<&QName> = tables
        .iter()
        .filter(|t| !t.readable)
        .map(|t| &t.name)
        .collect();
    if !unreadable.is_empty() {
        return Err(no_right(&unreadable));
    }
    let hidden: Vec<&QName> = tables
        .iter()
        .filter(|t| t.row_security && !bypasses_row_security)
        .map(|t| &t.name)
        .collect();
    if hidden.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Code::RowSecurity,
        format!(
            "row level security would hide rows of {} from this role",
            some(&hidden)
        ),
    )
    .hint(
        "Connect as a role with BYPASSRLS (on Supabase: postgres), or run ALTER ROLE … BYPASSRLS.",
    ))
}

fn no_right(names: &[&QName]) -> Error {
    Error::new(Code::PermissionDenied, format!("the role may not read {}", some(names))).hint(
        "Grant SELECT on them (or the role pg_read_all_data), or connect as the owner (on Supabase: postgres).",
    )
}

/// The first few names, and how many more.
fn some(names: &[&QName]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = names.iter().take(SHOWN).map(ToString::to_string).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl Sized {
    /// A heap without a block holds no row for any snapshot: nothing to read.
    pub fn is_surely_empty(&self) -> bool {
        self.listed.kind == TableKind::Heap && self.blocks == 0
    }
}
