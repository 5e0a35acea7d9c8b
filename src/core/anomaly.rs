//! In what a backup differs from those before it, so that somebody looks while there are backups from before.
//!
//! The median of many is what is usual: one odd backup does not move it, and a change that stays becomes it.

use crate::core::size;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Backups that must be there before, to say what is usual; and how many are looked at.
pub const FEWEST: usize = 5;
pub const MOST: usize = 20;
/// Less than one in so many of what is usual is few, more than so many times is many: an app grows and is cleaned up, but
/// does not halve or treble between two backups.
const FEW: u64 = 2;
const MANY: u64 = 3;
/// What halves or trebles every day in an app that hardly anybody uses.
const SOME_ROWS: u64 = 100;
const SOME_BYTES: u64 = 1 << 20;
/// A table is missed that had rows in each of so many: others are emptied as a matter of course.
pub const ALWAYS: usize = 5;
/// Tables that are named; that all of them are empty is told by the rows.
const NAMED: usize = 20;

/// What of a backup is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Measured {
    pub rows: u64,
    /// Of rows, uncompressed.
    pub bytes: u64,
    /// Rows by `schema.name`.
    pub tables: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    FewRows,
    ManyRows,
    FewBytes,
    ManyBytes,
    EmptyTable,
    GoneTable,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    pub kind: Kind,
    pub table: Option<String>,
    /// The median; of a table, what the backup before had.
    pub usual: u64,
    pub now: u64,
    /// For people.
    pub text: String,
}

/// Compares with the newest [`MOST`] before it, the newest first; with fewer than [`FEWEST`] nothing is unusual.
pub fn anomalies(now: &Measured, before: &[Measured]) -> Vec<Anomaly> {
    let before = &before[..before.len().min(MOST)];
    if before.len() < FEWEST {
        return Vec::new();
    }
    let rows = unusual(now.rows, before.iter().map(|b| b.rows), SOME_ROWS);
    let rows = rows.map(|(few, usual)| Anomaly {
        kind: if few { Kind::FewRows } else { Kind::ManyRows },
        table: None,
        usual,
        now: now.rows,
        text: format!(
            "All tables: {} rows in the backups before, {} now",
            grouped(usual),
            grouped(now.rows)
        ),
    });
    let bytes = unusual(now.bytes, before.iter().map(|b| b.bytes), SOME_BYTES);
    let bytes = bytes.map(|(few, usual)| Anomaly {
        kind: if few { Kind::FewBytes } else { Kind::ManyBytes },
        table: None,
        usual,
        now: now.bytes,
        text: format!(
            "All tables: {} of rows in the backups before, {} now",
            size::formatted(usual),
            size::formatted(now.bytes)
        ),
    });
    let totals = rows.into_iter().chain(bytes);
    totals.chain(missed(now, before).take(NAMED)).collect()
}

/// Whether it is few (else many), and what is usual.
fn unusual(now: u64, before: impl Iterator<Item = u64>, some: u64) -> Option<(bool, u64)> {
    let usual = median(before.collect())?;
    let few = usual >= some && now.saturating_mul(FEW) < usual;
    let many = now >= some && now > usual.saturating_mul(MANY);
    (few || many).then_some((few, usual))
}

/// Of an even number, the mean of the two in the middle.
fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    let middle = values.len() / 2;
    let (low, high) = match values.len() % 2 {
        0 => (values.get(middle.checked_sub(1)?)?, values.get(middle)?),
        _ => (values.get(middle)?, values.get(middle)?),
    };
    Some(low + (high - low) / 2)
}

/// Tables that had rows in each of the last ones and have none, or are not there.
fn missed(now: &Measured, before: &[Measured]) -> impl Iterator<Item = Anomaly> {
    let last = &before[..ALWAYS];
    last[0].tables.iter().filter_map(move |(table, usual)| {
        let always = last
            .iter()
            .all(|b| b.tables.get(table).is_some_and(|rows| *rows > 0));
        let (kind, left) = match now.tables.get(table) {
            _ if !always => return None,
            Some(0) => (Kind::EmptyTable, "0 now"),
            None => (Kind::GoneTable, "the table is gone now"),
            Some(_) => return None,
        };
        let name = table.strip_prefix("public.").unwrap_or(table);
        let rows = grouped(*usual);
        Some(Anomaly {
            kind,
            table: Some(table.clone()),
            usual: *usual,
            now: 0,
            text: format!("{name}: {rows} rows in the backups before, {left}"),
        })
    })
}

/// `1,145`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
