//! Cuts the rows of one COPY into segments and ranges.

use crate::core::fingerprint::{Ctid, Fingerprint, number};
use crate::core::row_hash::RowHashSum;
use crate::error::{Code, Error, Result};

/// A segment closes before the row that would take it past this many bytes of text.
pub const SEGMENT_BYTES: usize = 8 << 20;

/// Rows on their way to the store.
#[derive(Debug, Default)]
pub struct RawSegment {
    /// Index of the range within its table.
    pub range: usize,
    /// Place within the range, from 0.
    pub order: usize,
    pub rows: u64,
    pub row_hash_sum: RowHashSum,
    pub text: Vec<u8>,
}

/// Which ranges a COPY reads.
#[derive(Debug, Clone)]
pub enum Cut {
    /// Rows carry `ctid` and `xmin` in front. `first` is the index of the first range, `starts` are the first
    /// blocks of all ranges of this COPY.
    Ranges { first: usize, starts: Vec<u32> },
    /// Rows as they are, all of one range.
    Whole { range: usize },
}

/// Fed row by row in physical order.
pub struct Segmenter {
    cut: Cut,
    /// Index into `starts`.
    at: usize,
    seed: u64,
    limit: usize,
    current: RawSegment,
    fingerprint: Fingerprint,
    /// Fingerprints of ranges that are done: (range index, fingerprint).
    pub fingerprints: Vec<(usize, Fingerprint)>,
}

impl Segmenter {
    /// `limit` is [`SEGMENT_BYTES`] but in tests; `buffer` is reused for the first segment.
    pub fn new(cut: Cut, seed: u64, limit: usize, buffer: Vec<u8>) -> Self {
        let first = match &cut {
            Cut::Ranges { first, .. } => *first,
            Cut::Whole { range } => *range,
        };
        let current = RawSegment {
            range: first,
            text: buffer,
            ..RawSegment::default()
        };
        Self {
            cut,
            at: 0,
            seed,
            limit,
            current,
            fingerprint: Fingerprint::default(),
            fingerprints: Vec::new(),
        }
    }

    /// Takes one row; returns a segment that it closed. `buffer` gives memory for the next one.
    ///
    /// # Errors
    /// Where the row does not begin with the system columns that were asked for, or comes out of order.
    pub fn push(
        &mut self,
        line: &[u8],
        buffer: impl Fn() -> Vec<u8>,
    ) -> Result<Option<RawSegment>> {
        let mut closed = None;
        let row = match self.system_columns(line)? {
            Some((ctid, xmin, row)) => {
                closed = self.enter_range_of(ctid, &buffer)?;
                self.fingerprint.add(ctid, xmin);
                row
            }
            None => line,
        };
        // Entering a range leaves an empty segment, so at most one segment closes per row.
        if !self.current.text.is_empty() && self.current.text.len() + row.len() > self.limit {
            let order = self.current.order + 1;
            closed = Some(self.close(self.current.range, order, &buffer));
        }
        self.current.rows += 1;
        self.current.row_hash_sum.add(row, self.seed);
        self.current.text.extend_from_slice(row);
        Ok(closed)
    }

    /// The open segment, where it has no room for another row: a huge row need not wait in memory for the next one.
    pub fn take_full(&mut self, buffer: impl Fn() -> Vec<u8>) -> Option<RawSegment> {
        let (range, order) = (self.current.range, self.current.order + 1);
        (self.current.text.len() >= self.limit).then(|| self.close(range, order, &buffer))
    }

    /// The last segment, if it holds rows, and the fingerprints of every range.
    pub fn finish(mut self) -> (Option<RawSegment>, Vec<(usize, Fingerprint)>) {
        if let Cut::Ranges { first, starts } = &self.cut {
            let first = *first;
            self.fingerprints.push((first + self.at, self.fingerprint));
            let untouched = self.at + 1..starts.len();
            self.fingerprints
                .extend(untouched.map(|i| (first + i, Fingerprint::default())));
        }
        (
            (self.current.rows > 0).then_some(self.current),
            self.fingerprints,
        )
    }

    fn system_columns<'a>(&self, line: &'a [u8]) -> Result<Option<(Ctid, u32, &'a [u8])>> {
        if matches!(self.cut, Cut::Whole { .. }) {
            return Ok(None);
        }
        let parsed = || {
            let tab = line.iter().position(|b| *b == b'\t')?;
            let rest = &line[tab + 1..];
            let end = rest.iter().position(|b| matches!(b, b'\t' | b'\n'))?;
            // A table without columns writes an empty line per row.
            let row = if rest[end] == b'\t' {
                &rest[end + 1..]
            } else {
                &rest[end..]
            };
            Some((
                Ctid::parse(&line[..tab])?,
                u32::try_from(number(&rest[..end])?).ok()?,
                row,
            ))
        };
        parsed()
            .map(Some)
            .ok_or_else(|| Error::new(Code::Internal, "a row came without its ctid and xmin"))
    }

    fn enter_range_of(
        &mut self,
        ctid: Ctid,
        buffer: &impl Fn() -> Vec<u8>,
    ) -> Result<Option<RawSegment>> {
        let Cut::Ranges { first, starts } = &self.cut else {
            return Ok(None);
        };
        let first = *first;
        if ctid.block < starts[self.at] {
            return Err(Error::new(
                Code::Internal,
                "rows came out of physical order",
            ));
        }
        let mut next = self.at;
        while starts
            .get(next + 1)
            .is_some_and(|start| ctid.block >= *start)
        {
            next += 1;
        }
        if next == self.at {
            return Ok(None);
        }
        for passed in self.at..next {
            self.fingerprints
                .push((first + passed, std::mem::take(&mut self.fingerprint)));
        }
        self.at = next;
        if self.current.rows > 0 {
            return Ok(Some(self.close(first + next, 0, buffer)));
        }
        (self.current.range, self.current.order) = (first + next, 0);
        Ok(None)
    }

    fn close(&mut self, range: usize, order: usize, buffer: &impl Fn() -> Vec<u8>) -> RawSegment {
        let next = RawSegment {
            range,
            order,
            text: buffer(),
            ..RawSegment::default()
        };
        std::mem::replace(&mut self.current, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 1000;

    fn segments(cut: Cut, lines: &[Vec<u8>]) -> (Vec<RawSegment>, Vec<(usize, Fingerprint)>) {
        let mut segmenter = Segmenter::new(cut, 7, LIMIT, Vec::new());
        let mut all = Vec::new();
        for line in lines {
            all.extend(segmenter.push(line, Vec::new).unwrap());
            all.extend(segmenter.take_full(Vec::new));
        }
        let (last, fingerprints) = segmenter.finish();
        all.extend(last);
        (all, fingerprints)
    }

    proptest! {
        #[test]
        fn segments_join_to_what_was_read(
            mut blocks in proptest::collection::vec(0u32..1000, 0..60),
            size in prop_oneof![Just(10usize), Just(300), Just(1100)],
        ) {
            blocks.sort_unstable();
            let starts: Vec<u32> = (0..8).map(|i| i * 128).collect();
            let lines: Vec<Vec<u8>> = blocks
                .iter()
                .enumerate()
                .map(|(i, b)| [format!("({b},{})\t77\t{i}", i + 1).as_bytes(), &b"x".repeat(size), b"\n"].concat())
                .collect();
            let (segments, fingerprints) = segments(Cut::Ranges { first: 5, starts }, &lines);
            let told: Vec<u8> = lines.iter().flat_map(|l| {
                l.splitn(3, |b| *b == b'\t').nth(2).unwrap().to_vec()
            }).collect();
            let joined: Vec<u8> = segments.iter().flat_map(|s| s.text.clone()).collect();
            prop_assert_eq!(told, joined);
            prop_assert_eq!(fingerprints.iter().map(|f| f.0).collect::<Vec<_>>(), (5..13).collect::<Vec<_>>());
            prop_assert!(segments.iter().all(|s| s.rows == 1 || s.text.len() <= LIMIT));
            prop_assert!(segments.windows(2).all(|w| (w[0].range, w[0].order) < (w[1].range, w[1].order)));
            prop_assert!(segments.iter().all(|s| s.order == 0 || segments.iter().any(|o| o.range == s.range && o.order == s.order - 1)));
        }
    }

    #[test]
    fn a_table_without_columns_keeps_its_rows() {
        let lines = vec![b"(0,1)\t5\n".to_vec(), b"(0,2)\t5\n".to_vec()];
        let (segments, _) = segments(
            Cut::Ranges {
                first: 0,
                starts: vec![0],
            },
            &lines,
        );
        assert_eq!(
            (segments[0].text.as_slice(), segments[0].rows),
            (b"\n\n".as_slice(), 2)
        );
    }

    #[test]
    fn refuses_rows_that_are_not_what_was_asked_for() {
        for line in ["x\n", "(0,1)\n", "(0,1)\tx\ta\n", "(0,1)x\t3\ta\n"] {
            let mut s = Segmenter::new(
                Cut::Ranges {
                    first: 0,
                    starts: vec![0],
                },
                0,
                LIMIT,
                Vec::new(),
            );
            assert_eq!(
                s.push(line.as_bytes(), Vec::new).unwrap_err().code,
                Code::Internal,
                "{line}"
            );
        }
    }
}
