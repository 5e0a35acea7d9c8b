//! How a table's heap is cut: into ranges, each with segments of its own, and into reads, each a run of
//! adjacent ranges that share one COPY.

use std::ops::Range;

/// 1 MiB of heap.
pub const SMALLEST: u32 = 128;
/// 16 MiB of heap.
pub const LARGEST: u32 = 2048;
/// A table of more ranges than this gets larger ones.
const WANTED: u32 = 64;
/// Heap blocks that one COPY reads at most (128 MiB): long enough to make round trips rare, short enough
/// that readers end together.
const READ_BLOCKS: u32 = 16_384;

/// Heap blocks per range. A parent's choice is kept, so that ranges line up between backups.
pub fn range_blocks(table_blocks: u32, parent: Option<u32>) -> u32 {
    match parent {
        Some(kept) if kept.is_power_of_two() && (SMALLEST..=LARGEST).contains(&kept) => kept,
        _ => (table_blocks / WANTED)
            .next_power_of_two()
            .clamp(SMALLEST, LARGEST),
    }
}

/// Block ranges that cover the table; the last one is read open-ended.
pub fn cut(table_blocks: u32, range_blocks: u32) -> Vec<u32> {
    (0..table_blocks.max(1))
        .step_by(range_blocks as usize)
        .collect()
}

/// How much one COPY reads.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// This part of what is left of the table: small ones remain for the end, which is then the same for all readers.
    one_in: usize,
    /// But no fewer heap blocks, so that a small table among many large ones is not read in pieces.
    least: u32,
}

impl Share {
    /// `total`: heap blocks of all tables.
    pub fn of(total: u64, readers: usize) -> Self {
        let readers = readers.max(1);
        Self {
            one_in: readers * 2,
            least: u32::try_from(total / (readers as u64 * 64)).unwrap_or(u32::MAX),
        }
    }
}

/// Groups of adjacent ranges (as indexes into [`cut`]), each for one COPY.
pub fn reads(ranges: usize, range_blocks: u32, share: Share) -> Vec<Range<usize>> {
    let most = (READ_BLOCKS / range_blocks).max(1);
    let least = (share.least / range_blocks).clamp(1, most) as usize;
    let mut reads = Vec::new();
    let mut start = 0;
    while start < ranges {
        let left = ranges - start;
        let length = (left / share.one_in).clamp(least, most as usize).min(left);
        reads.push(start..start + length);
        start += length;
    }
    reads
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_cover_every_range_once(blocks in 0u32..3_000_000, others in 0u64..100_000_000, readers in 0usize..20) {
            let size = range_blocks(blocks, None);
            let starts = cut(blocks, size);
            prop_assert_eq!(starts[0], 0);
            prop_assert!(starts.windows(2).all(|w| w[1] - w[0] == size));
            prop_assert!(u64::from(*starts.last().unwrap()) + u64::from(size) >= u64::from(blocks));
            let reads = reads(starts.len(), size, Share::of(u64::from(blocks) + others, readers));
            prop_assert!(reads.windows(2).all(|w| w[0].len() >= w[1].len()));
            let covered: Vec<usize> = reads.into_iter().flatten().collect();
            prop_assert_eq!(covered, (0..starts.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn keeps_the_parents_size() {
        assert_eq!(range_blocks(1_000_000, Some(128)), 128);
        assert_eq!(range_blocks(1_000_000, Some(7)), LARGEST);
        assert_eq!(range_blocks(10, None), SMALLEST);
    }
}
