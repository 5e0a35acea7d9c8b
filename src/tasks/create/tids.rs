//! Rows by their places, as a scoped backup remembers all of a tenant's: about two bytes each.

use crate::core::fingerprint::Ctid;
use roaring::RoaringTreemap;

/// Places (`ctid`) of rows of one table.
#[derive(Debug, Clone, Default)]
pub struct Tids(RoaringTreemap);

impl Tids {
    pub fn insert(&mut self, row: Ctid) {
        self.0.insert(number(row));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the `others`; returns those that were not there before.
    pub fn add(&mut self, others: &Self) -> Self {
        let fresh = &others.0 - &self.0;
        self.0 |= &fresh;
        Self(fresh)
    }

    /// Parts of at most `rows` rows, in the order of the heap.
    pub fn parts(&self, rows: usize) -> impl Iterator<Item = Self> + '_ {
        let mut left = self.0.iter().peekable();
        std::iter::from_fn(move || {
            left.peek()?;
            Some(Self(left.by_ref().take(rows).collect()))
        })
    }

    /// The block of the first row.
    pub fn first_block(&self) -> Option<u32> {
        self.0.min().map(|row| ctid(row).block)
    }

    /// As an array of `tid`.
    pub fn sql(&self) -> String {
        let texts: Vec<String> = self
            .0
            .iter()
            .map(|row| format!("\"{}\"", ctid(row)))
            .collect();
        format!("'{{{}}}'::tid[]", texts.join(","))
    }
}

fn number(row: Ctid) -> u64 {
    u64::from(row.block) << 16 | u64::from(row.offset)
}

#[allow(clippy::cast_possible_truncation)]
fn ctid(row: u64) -> Ctid {
    Ctid {
        block: (row >> 16) as u32,
        offset: row as u16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn places(rows: &[(u32, u16)]) -> Tids {
        let mut tids = Tids::default();
        for (block, offset) in rows {
            tids.insert(Ctid {
                block: *block,
                offset: *offset,
            });
        }
        tids
    }

    #[test]
    fn the_ends_of_a_heap_keep_their_places() {
        let tids = places(&[(u32::MAX, u16::MAX), (0, 1), (0, 1)]);
        assert_eq!(tids.0.len(), 2);
        assert_eq!(tids.first_block(), Some(0));
        assert_eq!(tids.sql(), "'{\"(0,1)\",\"(4294967295,65535)\"}'::tid[]");
    }

    #[test]
    fn a_row_costs_about_two_bytes() {
        let rows = (0..10_000).flat_map(|block| (1..=100).map(move |offset| (block, offset)));
        let tids = places(&rows.collect::<Vec<_>>());
        assert!(
            tids.0.serialized_size() < 3_000_000,
            "{}",
            tids.0.serialized_size()
        );
    }

    proptest::proptest! {
        #[test]
        fn parts_are_the_whole(rows: BTreeSet<(u32, u16)>, size in 1_usize..50) {
            let rows: Vec<_> = rows.into_iter().collect();
            let tids = places(&rows);
            let parts: Vec<Tids> = tids.parts(size).collect();
            let full = parts.iter().rev().skip(1).all(|part| part.0.len() == size as u64);
            proptest::prop_assert!(full && parts.iter().all(|part| !part.is_empty()));
            let mut joined = Tids::default();
            for part in &parts {
                proptest::prop_assert_eq!(joined.add(part).0.len(), part.0.len());
            }
            proptest::prop_assert_eq!(joined.sql(), tids.sql());
            proptest::prop_assert!(joined.add(&tids).is_empty());
        }
    }
}
