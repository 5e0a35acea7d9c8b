//! Order-independent sums of row hashes: equal multisets of rows have equal sums, however they are cut or ordered.

use std::fmt;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Sum, modulo 2^128, of the XXH3-128 of each row's COPY text without its newline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowHashSum(u128);

impl RowHashSum {
    /// `row` may or may not end in a newline.
    pub fn add(&mut self, row: &[u8], seed: u64) {
        let row = row.strip_suffix(b"\n").unwrap_or(row);
        self.0 = self.0.wrapping_add(xxh3_128_with_seed(row, seed));
    }

    pub fn merge(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    pub fn parse(hex: &str) -> Option<Self> {
        u128::from_str_radix(hex, 16).ok().map(Self)
    }
}

/// 32 hex digits.
impl fmt::Display for RowHashSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn order_does_not_matter_but_content_does(mut rows: Vec<Vec<u8>>, seed: u64) {
            let sum = |rows: &[Vec<u8>]| {
                let mut s = RowHashSum::default();
                rows.iter().for_each(|r| s.add(r, seed));
                s
            };
            let before = sum(&rows);
            rows.reverse();
            prop_assert_eq!(sum(&rows), before);
            rows.push(b"one more".to_vec());
            prop_assert_ne!(sum(&rows), before);
            prop_assert_eq!(RowHashSum::parse(&before.to_string()), Some(before));
        }
    }
}
