//! What a restore would do, counted before it does it.

use crate::core::ident::QName;
use crate::core::manifest::{Scope, Selection, Warning};
use crate::error::{Code, Error, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// How far a restore in place goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Only rows that are gone come back.
    Missing,
    /// Also rows that changed are changed back; nothing is removed.
    KeepNewer,
    /// The tables as they were: rows that came since are removed.
    Exact,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Component {
    Database,
    Config,
}

/// What is chosen of a backup; empty lists mean everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choice {
    pub components: Vec<Component>,
    /// Schemas, tables, and one tenant's rows.
    pub selection: Selection,
}

/// The answer to "what will happen?", shown before anything is written to live tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Names the staging schema `staging_<id>`, the undo schema `undo_<id>`, and the restore in `--undo`.
    pub operation: Uuid,
    pub backup: Uuid,
    pub backup_name: String,
    pub backup_taken_at: DateTime<Utc>,
    /// The target without its password.
    pub target: String,
    /// Absent for another database.
    pub mode: Option<Mode>,
    /// The tenant whose rows alone are restored; the tables are those with rows of theirs.
    pub scope: Option<Scope>,
    pub tables: Vec<TablePlan>,
    /// Definitions to be created (another database only).
    pub objects_to_create: u64,
    /// Schemas that `force` drops first (another database only), with the rows in them.
    pub schemas_to_drop: Vec<(String, u64)>,
    /// Foreign keys that the restore would break (in place only): while there is one, it is refused.
    pub broken_references: Vec<BrokenReference>,
    /// What is locked, against what, and for how long at most.
    pub locks: Vec<String>,
    /// Bytes that staging, indexes, undo and WAL need at most, and what is free where it can be known.
    pub bytes_needed: u64,
    pub bytes_free: Option<u64>,
    pub estimated_seconds: u64,
    /// Days that what changes is kept for an undo; absent for another database.
    #[serde(default)]
    pub undo_days: Option<u32>,
    /// What may surprise, and what the app would miss: a restore that has any ends with a warning.
    pub warnings: Vec<Warning>,
    /// What is good to know and asks for nothing.
    pub notes: Vec<Warning>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TablePlan {
    #[serde(flatten)]
    pub table: QName,
    pub rows_in_backup: u64,
    pub add: u64,
    pub change: u64,
    pub remove: u64,
    /// Of the rows to be removed, where the table has a `created_at`-like column: the oldest and newest. Columns
    /// without a zone count as UTC.
    pub removed_between: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// Rows of one table that would be left without the rows to which they refer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BrokenReference {
    pub foreign_key: String,
    pub child: QName,
    pub parent: QName,
    /// Rows of the child that would refer to nothing.
    pub rows: u64,
    pub why: Broken,
    /// Up to five of these rows, for people.
    pub examples: Vec<String>,
    /// What to do about it.
    pub remedy: String,
}

/// [`Code::MissingParent`], with every reference and what to do, where there is any.
pub fn refuse(broken: &[BrokenReference]) -> Result<()> {
    if broken.is_empty() {
        return Ok(());
    }
    let each: Vec<String> = broken.iter().map(ToString::to_string).collect();
    let mut remedies: Vec<&str> = broken.iter().map(|b| b.remedy.as_str()).collect();
    remedies.sort_unstable();
    remedies.dedup();
    Err(Error::new(Code::MissingParent, each.join(". ")).hint(remedies.join(" ")))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Broken {
    /// Live rows refer to rows that the restore would remove.
    ParentRemoved,
    /// Rows that would come back refer to rows that are not there.
    ParentMissing,
}

impl fmt::Display for BrokenReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, refer) = match self.rows {
            1 => ("row", "refers"),
            _ => ("rows", "refer"),
        };
        let what = match self.why {
            Broken::ParentRemoved => "would be removed",
            Broken::ParentMissing => "are not there",
        };
        write!(
            f,
            "{} {rows} of {} {refer} by {} to rows of {} that {what}: {}",
            self.rows,
            self.child,
            self.foreign_key,
            self.parent,
            self.examples.join("; ")
        )
    }
}

impl Plan {
    pub fn add(&self) -> u64 {
        self.tables.iter().map(|t| t.add).sum()
    }
    pub fn change(&self) -> u64 {
        self.tables.iter().map(|t| t.change).sum()
    }
    pub fn remove(&self) -> u64 {
        self.tables.iter().map(|t| t.remove).sum()
    }
    /// Refuses where the restore would break references.
    pub fn refuse_broken(&self) -> Result<()> {
        refuse(&self.broken_references)
    }
    /// Whether live data stays exactly as it is.
    pub fn is_empty(&self) -> bool {
        self.add() + self.change() + self.remove() + self.objects_to_create == 0
    }
}

/// What a restore did in one table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableChange {
    #[serde(flatten)]
    pub table: QName,
    pub added: u64,
    pub changed: u64,
    pub removed: u64,
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    pub operation: Uuid,
    pub backup: Uuid,
    pub tables: u64,
    /// Of a restore in place and its undo: the tables in which rows changed.
    pub changes: Vec<TableChange>,
    pub rows_added: u64,
    pub rows_changed: u64,
    pub rows_removed: u64,
    /// Schema that holds what changed, for undo; absent where nothing changed or there is nothing to undo.
    pub undo_schema: Option<String>,
    /// Until when that is kept.
    pub undo_until: Option<DateTime<Utc>>,
    pub warnings: Vec<Warning>,
}
