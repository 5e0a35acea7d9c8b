//! What a restore needs of the target's disk, and how long it may take.

use super::work::Work;
use crate::core::restore_plan::TablePlan;
use crate::error::{Code, Error, Result};

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

/// Bytes of what the merge writes: undo, live rows, their indexes and WAL.
pub fn merge(work: &Work, plans: &[TablePlan]) -> u64 {
    let each = work.merged().zip(plans).map(|((index, _), plan)| {
        let bytes: u64 = work.sources[index].iter().map(|t| t.raw_bytes).sum();
        let row = bytes / work.source_rows(index).max(1) + ROW_OVERHEAD + INDEX_ENTRY;
        (plan.add + plan.change * 2 + plan.remove) * row * COPIES
    });
    each.sum()
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
