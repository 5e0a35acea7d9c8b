//! What a restore needs of the target's disk, and how long it may take.

use super::work::Work;
use crate::core::restore_plan::TablePlan;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::target::TargetTable;
use std::collections::BTreeMap;

/// Heap, item pointer and alignment of a row beside its values.
const ROW_OVERHEAD: u64 = 32;
/// An entry of the key's index.
const INDEX_ENTRY: u64 = 40;
/// A changed row lies in the undo table, in the live table and twice in the WAL.
const COPIES: u64 = 4;
/// Measured orders of magnitude: bytes staged and rows merged per second.
const STAGED_PER_SECOND: u64 = 40 << 20;
const MERGED_PER_SECOND: u64 = 20_000;

/// Bytes of staging and its indexes.
pub fn staging(work: &Work) -> u64 {
    let tables = work.sources.iter().flatten();
    tables
        .map(|t| t.raw_bytes + t.rows * (ROW_OVERHEAD + INDEX_ENTRY))
        .sum()
}

/// Bytes of what the merge writes: undo, live rows, their indexes and WAL. Rows that go and rows that come may be of
/// very different size.
pub async fn merge(work: &Work, plans: &[TablePlan]) -> Result<u64> {
    let live = live(work).await?;
    let each = work.merged().zip(plans).map(|((index, _), plan)| {
        let bytes: u64 = work.sources[index].iter().map(|t| t.raw_bytes).sum();
        let per_row = |bytes: u64, rows: u64| bytes / rows.max(1) + ROW_OVERHEAD + INDEX_ENTRY;
        let coming = per_row(bytes, work.source_rows(index));
        let (bytes, estimated) = live[index];
        // The statistics may be old or none; this many rows were seen.
        let seen = plan.rows_in_backup.saturating_sub(plan.add) + plan.remove;
        let going = per_row(bytes, estimated.max(seen));
        ((plan.add + plan.change) * coming + (plan.change + plan.remove) * going) * COPIES
    });
    Ok(each.sum())
}

/// Bytes and estimated rows of the live table of each unit.
async fn live(work: &Work) -> Result<Vec<(u64, u64)>> {
    let all: Vec<u32> = work
        .targets
        .iter()
        .flat_map(|t| t.files.keys().copied())
        .collect();
    let sql = "SELECT c.oid, pg_catalog.pg_table_size(c.oid), greatest(c.reltuples, 0)::bigint \
               FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1)";
    let rows = work
        .session
        .query("measuring the live tables", sql, &[&all])
        .await?;
    let known: BTreeMap<u32, (u64, u64)> = rows
        .iter()
        .map(|row| {
            (
                row.get(0),
                (
                    row.get::<_, i64>(1).unsigned_abs(),
                    row.get::<_, i64>(2).unsigned_abs(),
                ),
            )
        })
        .collect();
    let of = |table: &TargetTable| {
        let files = table.files.keys().filter_map(|oid| known.get(oid));
        files.fold((0, 0), |(bytes, rows), file| {
            (bytes + file.0, rows + file.1)
        })
    };
    Ok(work.targets.iter().map(of).collect())
}

pub fn seconds(work: &Work, plans: &[TablePlan]) -> u64 {
    let rows: u64 = plans.iter().map(|p| p.add + p.change + p.remove).sum();
    1 + staging(work) / STAGED_PER_SECOND + rows / MERGED_PER_SECOND
}

/// Refuses what would not fit, where somebody told how much room there is.
pub fn check(needed: u64, room: Option<u64>) -> Result<()> {
    match room {
        Some(room) if needed > room => Err(refused(needed, room)),
        _ => Ok(()),
    }
}

pub fn refused(needed: u64, room: u64) -> Error {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    Error::new(
        Code::NoSpace,
        format!(
            "the restore needs {} MiB on the target's disk, and {} MiB may be used",
            mib(needed),
            mib(room)
        ),
    )
    .hint("Add disk space and say so with --room BYTES, or choose fewer tables.")
}
