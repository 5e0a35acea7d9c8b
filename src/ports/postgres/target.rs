//! What a restore in place must know of its target: shapes, keys, triggers, rights. A fixed number of queries,
//! however many tables there are.

mod foreign_keys;
mod queries;
mod rights;
mod tables;

pub use foreign_keys::foreign_keys;
pub use rights::{Rights, rights};
pub use tables::{Found, find, given, tables};

use crate::core::ident::QName;
use crate::core::merge::KeyColumn;
use crate::core::merge::constraints::{Check, Deferrable, Unique};
use std::collections::BTreeMap;

/// A table of the target as far as a merge cares. Equal values before and under the lock mean that nothing moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetTable {
    pub oid: u32,
    pub name: QName,
    pub partitioned: bool,
    pub columns: Vec<TargetColumn>,
    pub key: Vec<KeyColumn>,
    /// Columns of unique and exclusion constraints and of partition keys, over the whole partition tree.
    pub special: Vec<String>,
    /// The table and its partitions with their files: a rewrite moves rows to other places.
    pub files: BTreeMap<u32, u32>,
    pub checks: Vec<Check>,
    pub triggers: Vec<TargetTrigger>,
    /// Unique and exclusion constraints that a trigger checks.
    pub deferrable: Vec<Deferrable>,
    /// Unique indexes beside the primary key.
    pub unique: Vec<Unique>,
    /// Partitions (or the table) whose published updates or deletes the server refuses.
    pub published_without_identity: Vec<QName>,
    /// Indexes on the table and its partitions; each is locked too.
    pub indexes: u32,
    /// Rights that are needed and missing.
    pub missing_rights: Vec<String>,
    pub row_security: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetColumn {
    pub name: String,
    /// As `format_type` prints it with an empty search path.
    pub type_name: String,
    pub not_null: bool,
    pub has_default: bool,
    pub generated: bool,
    /// How a generated column is computed.
    pub expression: Option<String>,
    pub identity_always: bool,
}

/// A user trigger or a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetTrigger {
    pub table: QName,
    pub name: String,
    pub fires: Fires,
    /// Rules cannot be switched off without locking readers out.
    pub is_rule: bool,
    /// Whether the role may switch it off.
    pub owned: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fires {
    /// Not for the replica role.
    Origin,
    /// For the replica role alone.
    Replica,
    Always,
}
