//! The COPY statements of a backup, and who runs which.

use super::selected::Sized;
use super::tids::Tids;
use crate::core::ident;
use crate::core::manifest::TableKind;
use crate::core::ranges::{self, Share};
use crate::core::segmenter::Cut;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// One COPY.
#[derive(Debug, Clone)]
pub struct Read {
    /// Index of the table in the selection.
    pub table: usize,
    pub what: What,
    pub cut: Cut,
    /// Heap blocks; small reads are asked for ahead of time.
    pub blocks: u32,
}

#[derive(Debug, Clone)]
pub enum What {
    /// The statement.
    Statement(String),
    /// The rows that a query gives where these alone are taken. Spelled out they are many times as long.
    Rows(String, Tids),
}

impl Read {
    pub fn sql(&self) -> Cow<'_, str> {
        match &self.what {
            What::Statement(sql) => sql.into(),
            What::Rows(query, rows) => {
                format!("COPY ({query} WHERE ctid = ANY({})) TO STDOUT", rows.sql()).into()
            }
        }
    }
}

/// Reads that are still to be done; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Queue(Arc<Mutex<VecDeque<Read>>>);

impl Queue {
    pub fn new(mut reads: Vec<Read>) -> Self {
        // Big ones first, so that readers end together.
        reads.sort_by_key(|r| std::cmp::Reverse(r.blocks));
        Self(Arc::new(Mutex::new(reads.into())))
    }

    pub fn take(&self) -> Option<Read> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    /// Takes the next one only if it reads at most `blocks`.
    pub fn take_small(&self, blocks: u32) -> Option<Read> {
        let mut reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if reads.front()?.blocks > blocks {
            None
        } else {
            reads.pop_front()
        }
    }
}

/// How a table is cut: heap blocks per range (0: one range), and the first block of each.
pub fn cut(table: &Sized, parent_range_blocks: Option<u32>) -> (u32, Vec<u32>) {
    if table.listed.kind != TableKind::Heap {
        return (0, vec![0]);
    }
    let size = ranges::range_blocks(table.blocks, parent_range_blocks);
    (size, ranges::cut(table.blocks, size))
}

/// The reads of one table.
pub fn plan(
    table: usize,
    sized: &Sized,
    range_blocks: u32,
    starts: &[u32],
    share: Share,
) -> Vec<Read> {
    if sized.is_surely_empty() {
        return Vec::new();
    }
    let columns = ident::list(sized.listed.columns.iter().map(|c| c.name.as_str()));
    let name = sized.listed.name.sql();
    if sized.listed.kind != TableKind::Heap {
        let sql = format!("COPY (SELECT {columns} FROM ONLY {name}) TO STDOUT");
        return vec![Read {
            table,
            what: What::Statement(sql),
            cut: Cut::Whole { range: 0 },
            blocks: sized.blocks,
        }];
    }
    let comma = if columns.is_empty() { "" } else { ", " };
    let read = |group: std::ops::Range<usize>| {
        let start = starts[group.start];
        let end = starts.get(group.end);
        let mut filter = format!("ctid >= '({start},0)'::tid");
        if let Some(end) = end {
            filter.push_str(&format!(" AND ctid < '({end},0)'::tid"));
        }
        if group.len() == starts.len() {
            filter = "true".into();
        }
        Read {
            table,
            what: What::Statement(format!(
                "COPY (SELECT ctid, xmin{comma}{columns} FROM ONLY {name} WHERE {filter}) TO STDOUT"
            )),
            cut: Cut::Ranges {
                first: group.start,
                starts: starts[group.clone()].to_vec(),
            },
            blocks: end.copied().unwrap_or(sized.blocks.max(start)) - start,
        }
    };
    ranges::reads(starts.len(), range_blocks, share)
        .into_iter()
        .map(read)
        .collect()
}
