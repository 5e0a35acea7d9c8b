//! Fingerprint of a heap range: `count(*)` and `sum(hashtidextended(ctid, xmin::text::bigint))`, computed
//! here from the `ctid` and `xmin` that stream by with the rows, so that the server does not scan twice.
//!
//! The hash is PostgreSQL's `hash_bytes_extended` (src/common/hashfn.c, Bob Jenkins' lookup3) over the six
//! bytes of an item pointer on a little-endian server. A test compares it with the server's own.

use std::fmt;

/// Where a row version lies: heap block and line pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ctid {
    pub block: u32,
    pub offset: u16,
}

impl Ctid {
    /// Reads `(block,offset)`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let inner = text.strip_prefix(b"(")?.strip_suffix(b")")?;
        let comma = inner.iter().position(|b| *b == b',')?;
        Some(Self {
            block: u32::try_from(number(&inner[..comma])?).ok()?,
            offset: u16::try_from(number(&inner[comma + 1..])?).ok()?,
        })
    }
}

/// `(block,offset)`, as Postgres writes it.
impl fmt::Display for Ctid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({},{})", self.block, self.offset)
    }
}

/// Unsigned decimal digits; `None` for anything else.
pub fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    text.iter().try_fold(0u64, |n, b| {
        b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0'))
    })
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fingerprint {
    rows: u64,
    sum: i128,
}

impl Fingerprint {
    pub fn add(&mut self, ctid: Ctid, xmin: u32) {
        self.rows += 1;
        self.sum += i128::from(hash_tid_extended(ctid, u64::from(xmin)));
    }
}

/// `<count>:<sum>`.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.rows, self.sum)
    }
}

/// `hashtidextended(ctid, seed)`.
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
fn hash_tid_extended(ctid: Ctid, seed: u64) -> i64 {
    const LENGTH: u32 = 6;
    let start = 0x9e37_79b9_u32.wrapping_add(LENGTH).wrapping_add(3_923_095);
    let (mut a, mut b, mut c) = (start, start, start);
    if seed != 0 {
        a = a.wrapping_add((seed >> 32) as u32);
        b = b.wrapping_add(seed as u32);
        mix(&mut a, &mut b, &mut c);
    }
    // An item pointer stores its block number as two 16-bit halves, the high one first.
    a = a.wrapping_add(ctid.block.rotate_left(16));
    b = b.wrapping_add(u32::from(ctid.offset));
    scramble(&mut a, &mut b, &mut c);
    ((u64::from(b) << 32) | u64::from(c)) as i64
}

fn mix(a: &mut u32, b: &mut u32, c: &mut u32) {
    for (k, l, m) in [(4, 6, 8), (16, 19, 4)] {
        *a = a.wrapping_sub(*c) ^ c.rotate_left(k);
        *c = c.wrapping_add(*b);
        *b = b.wrapping_sub(*a) ^ a.rotate_left(l);
        *a = a.wrapping_add(*c);
        *c = c.wrapping_sub(*b) ^ b.rotate_left(m);
        *b = b.wrapping_add(*a);
    }
}

fn scramble(a: &mut u32, b: &mut u32, c: &mut u32) {
    *c = (*c ^ *b).wrapping_sub(b.rotate_left(14));
    *a = (*a ^ *c).wrapping_sub(c.rotate_left(11));
    *b = (*b ^ *a).wrapping_sub(a.rotate_left(25));
    *c = (*c ^ *b).wrapping_sub(b.rotate_left(16));
    *a = (*a ^ *c).wrapping_sub(c.rotate_left(4));
    *b = (*b ^ *a).wrapping_sub(a.rotate_left(14));
    *c = (*c ^ *b).wrapping_sub(b.rotate_left(24));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_postgres_does() {
        // SELECT hashtidextended('(7,3)', 1234), hashtidextended('(70000,3)', 0), hashtidextended('(4294967294,65535)', 4294967295)
        let h = |block, offset, seed| hash_tid_extended(Ctid { block, offset }, seed);
        assert_eq!(h(7, 3, 1234), -111_226_718_285_383_490);
        assert_eq!(h(70_000, 3, 0), 553_518_104_670_013_285);
        assert_eq!(
            h(4_294_967_294, 65_535, 4_294_967_295),
            -7_221_252_676_680_267_702
        );
    }

    #[test]
    fn reads_ctids() {
        let c = Ctid {
            block: 12,
            offset: 3,
        };
        assert_eq!(Ctid::parse(b"(12,3)"), Some(c));
        assert_eq!(c.to_string(), "(12,3)");
        for bad in [
            "",
            "(1,2",
            "(,1)",
            "(1,)",
            "(a,1)",
            "(99999999999,1)",
            "(1,70000)",
            "(-1,1)",
        ] {
            assert_eq!(Ctid::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
