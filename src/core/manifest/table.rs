//! One table of a backup: its shape, and where its rows are.

use crate::core::ident::QName;
use crate::core::stored::Stored;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    #[serde(flatten)]
    pub name: QName,
    pub kind: TableKind,
    pub oid: u32,
    pub relfilenode: u32,
    /// `true` for an unlogged table: its rows are kept, but a crash of the source empties it.
    pub unlogged: bool,
    /// The topmost partitioned table above this leaf, where rows are merged.
    pub partition_root: Option<QName>,
    /// Every column but generated ones, in the order of the rows' text.
    pub columns: Vec<Column>,
    /// Columns of the primary key, in key order; empty where there is none.
    pub primary_key: Vec<String>,
    /// Digest of the table's shape (columns, types, defaults); equal digests mean that rows fit.
    pub shape: String,
    pub rows: u64,
    /// Bytes of COPY text.
    pub raw_bytes: u64,
    /// Heap blocks per range; 0 where the table is one range.
    pub range_blocks: u32,
    pub ranges: Vec<Range>,
    /// In a scoped backup: whether the rows belong to the tenant, or are shared rows that they need.
    pub owned: bool,
    /// A table that the platform keeps (`auth.users`): rows of it are added where they are missing, and nothing else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub platform: bool,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Table {
    /// All segments in physical order.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.ranges.iter().flat_map(|r| &r.segments)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TableKind {
    Heap,
    /// Another table access method: read by one COPY.
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    pub name: String,
    /// As `format_type` prints it with an empty search path.
    #[serde(rename = "type")]
    pub type_name: String,
    pub not_null: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub identity: Option<Identity>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Identity {
    Always,
    ByDefault,
}

/// Consecutive heap blocks `[start_block, end_block)`; the last range is open-ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    pub start_block: u32,
    pub end_block: Option<u32>,
    /// `count(*)` and `sum(hashtidextended(ctid, xmin::text::bigint))` of the range in the backup's
    /// snapshot, as `<count>:<sum>`; absent where the table is no heap or the backup is scoped.
    pub fingerprint: Option<String>,
    pub segments: Vec<Segment>,
}

/// A bounded run of rows, stored once under its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// Keyed BLAKE3 of the uncompressed rows, hex.
    pub id: String,
    pub rows: u64,
    pub raw_bytes: u64,
    pub stored_bytes: u64,
    /// BLAKE3 of the stored bytes, hex.
    pub stored_hash: String,
    /// CRC32 of the stored bytes; absent in older manifests.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stored_crc32: Option<u32>,
    /// Order-independent sum (mod 2^128) of 128-bit row hashes, 32 hex digits.
    pub row_hash_sum: String,
}

impl Segment {
    /// What its object must be.
    pub fn stored(&self) -> Stored {
        Stored {
            bytes: self.stored_bytes,
            hash: self.stored_hash.clone(),
            crc32: self.stored_crc32,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sequence {
    #[serde(flatten)]
    pub name: QName,
    pub last_value: i64,
    pub is_called: bool,
    pub increment: i64,
    /// The table that owns it (serial or identity), if any.
    pub owned_by: Option<QName>,
}
